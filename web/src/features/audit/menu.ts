import { ScrollText } from 'lucide-vue-next'
import type { MenuEntry } from '@/app/menu'

export default [
  { to: '/audit', group: 'system', order: 9, labelKey: 'audit.title', icon: ScrollText, permission: 'audit.read' },
] satisfies MenuEntry[]
