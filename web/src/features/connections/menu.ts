import { Cable } from 'lucide-vue-next'
import type { MenuEntry } from '@/app/menu'

export default [
  { to: '/connections', group: 'system', order: 1, labelKey: 'connections.title', icon: Cable, permission: 'connection.read' },
] satisfies MenuEntry[]
