import { UsersRound } from 'lucide-vue-next'
import type { MenuEntry } from '@/app/menu'

export default [
  { to: '/people', group: 'system', order: 5, labelKey: 'people.title', icon: UsersRound, permission: 'user.read' },
] satisfies MenuEntry[]
