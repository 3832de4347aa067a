import { createI18n } from 'vue-i18n'

export type Locale = 'en' | 'zh'

type Messages = Record<string, unknown>

/** The texts lie beside what shows them: any folder's locales/en.json and zh.json, merged. */
const files = import.meta.glob<{ default: Messages }>('../**/locales/*.json', { eager: true })

function merge(into: Messages, from: Messages): Messages {
  for (const [key, value] of Object.entries(from)) {
    const old = into[key]
    into[key] = value && typeof value === 'object' && old && typeof old === 'object' ? merge(old as Messages, value as Messages) : value
  }
  return into
}

export function messages(locale: Locale): Messages {
  const all: Messages = {}
  for (const [path, file] of Object.entries(files)) if (path.endsWith(`/${locale}.json`)) merge(all, structuredClone(file.default))
  return all
}

function preferred(): Locale {
  const kept = localStorage.getItem('sextant.locale')
  if (kept === 'en' || kept === 'zh') return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

export const i18n = createI18n({
  legacy: false,
  locale: preferred(),
  fallbackLocale: 'en',
  missingWarn: false,
  fallbackWarn: false,
  messages: { en: messages('en'), zh: messages('zh') } as never,
})

/** Adds texts that are not for the first load: what shows them brings them along, from a folder late/ beside it. */
export function addTexts(texts: Record<Locale, Messages>): void {
  for (const locale of ['en', 'zh'] as const) i18n.global.mergeLocaleMessage(locale, texts[locale])
}

export function setLocale(locale: Locale): void {
  i18n.global.locale.value = locale
  localStorage.setItem('sextant.locale', locale)
  document.documentElement.lang = locale
}

document.documentElement.lang = i18n.global.locale.value
