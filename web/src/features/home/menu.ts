import { House } from 'lucide-vue-next'
import type { MenuEntry } from '@/app/menu'

export default [{ to: '/', group: 'work', order: 0, labelKey: 'home.title', icon: House }] satisfies MenuEntry[]
