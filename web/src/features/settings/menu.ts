import { SlidersHorizontal } from 'lucide-vue-next'
import type { MenuEntry } from '@/app/menu'

export default [
  { to: '/settings', group: 'system', order: 3, labelKey: 'settings.title', icon: SlidersHorizontal, permission: 'setting.read' },
] satisfies MenuEntry[]
