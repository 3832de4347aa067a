import { Activity } from 'lucide-vue-next'
import type { MenuEntry } from '@/app/menu'

export default [
  { to: '/runs', group: 'execute', order: 0, labelKey: 'runs.title', icon: Activity, permission: 'run.read' },
] satisfies MenuEntry[]
