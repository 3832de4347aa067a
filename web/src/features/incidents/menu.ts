import { Siren } from 'lucide-vue-next'
import type { MenuEntry } from '@/app/menu'

export default [
  {
    to: '/incidents',
    group: 'execute',
    order: 1,
    labelKey: 'incidents.title',
    icon: Siren,
    permission: 'run.read',
    count: 'incidents',
    hideEmpty: true,
  },
] satisfies MenuEntry[]
