import { Plug } from 'lucide-vue-next'
import type { MenuEntry } from '@/app/menu'

export default [
  { to: '/plugins', group: 'system', order: 0, labelKey: 'plugins.title', icon: Plug, permission: 'plugin.read' },
] satisfies MenuEntry[]
