import { Table2 } from 'lucide-vue-next'
import type { MenuEntry } from '@/app/menu'

export default [
  { to: '/decisions', group: 'design', order: 1, labelKey: 'decisions.title', icon: Table2, permission: 'decision.read' },
] satisfies MenuEntry[]
