import { addTexts } from '@/i18n'
import en from './late/en.json'
import zh from './late/zh.json'

addTexts({ en, zh })
