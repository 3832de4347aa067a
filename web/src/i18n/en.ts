import { merged, type Messages } from './merge'

export default merged(import.meta.glob<{ default: Messages }>('../**/locales/en.json', { eager: true }))
