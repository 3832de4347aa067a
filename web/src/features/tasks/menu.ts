import { Inbox } from 'lucide-vue-next'
import type { MenuEntry } from '@/app/menu'

export default [
  { to: '/tasks', group: 'work', order: 1, labelKey: 'tasks.title', icon: Inbox, permission: 'task.read', count: 'tasks' },
] satisfies MenuEntry[]
