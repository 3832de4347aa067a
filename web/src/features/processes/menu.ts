import { Workflow } from 'lucide-vue-next'
import type { MenuEntry } from '@/app/menu'

export default [
  { to: '/processes', group: 'design', order: 0, labelKey: 'processes.title', icon: Workflow, permission: 'process.read' },
] satisfies MenuEntry[]
