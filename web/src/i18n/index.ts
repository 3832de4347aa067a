import { createI18n } from 'vue-i18n'
import { quickly } from './quick'
import { preferred, texts, type Locale } from './texts'

export type { Locale }

export const i18n = createI18n({
  legacy: false,
  locale: preferred(),
  missingWarn: false,
  fallbackWarn: false,
  messages: {} as Record<Locale, never>,
})

const global: unknown = i18n.global
const words = global as { t: (key: string, ...fill: unknown[]) => string }
const { t } = words
const quick = quickly((locale) => i18n.global.getLocaleMessage(locale as Locale))
words.t = (key, ...fill) => quick(i18n.global.locale.value, key, fill) ?? t(key, ...fill)

async function show(locale: Locale): Promise<void> {
  if (!i18n.global.availableLocales.includes(locale)) i18n.global.setLocaleMessage(locale, (await texts[locale]()).default as never)
  i18n.global.locale.value = locale
  document.documentElement.lang = locale
}

export async function setLocale(locale: Locale): Promise<void> {
  await show(locale)
  localStorage.setItem('sextant.locale', locale)
}

/** When the texts of the language that is preferred are there. */
export const ready = show(preferred())
