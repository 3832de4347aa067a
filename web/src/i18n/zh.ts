import { merged, type Messages } from './merge'

export default merged(import.meta.glob<{ default: Messages }>('../**/locales/zh.json', { eager: true }))
