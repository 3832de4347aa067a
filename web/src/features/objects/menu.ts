import { Boxes } from 'lucide-vue-next'
import type { MenuEntry } from '@/app/menu'

export default [
  { to: '/objects', group: 'objects', order: 0, labelKey: 'objects.title', icon: Boxes, permission: 'object.read' },
] satisfies MenuEntry[]
