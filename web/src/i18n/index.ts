import { createI18n } from 'vue-i18n'
import type { Messages } from './merge'

export type Locale = 'en' | 'zh'

/** The texts lie beside what shows them, in any folder's locales; those of one language are loaded, when it is shown. */
const texts: Record<Locale, () => Promise<{ default: Messages }>> = { en: () => import('./en'), zh: () => import('./zh') }

export const i18n = createI18n({ legacy: false, locale: preferred(), missingWarn: false, fallbackWarn: false, messages: {} as Record<Locale, never> })

function preferred(): Locale {
  const kept = localStorage.getItem('sextant.locale')
  if (kept === 'en' || kept === 'zh') return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

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
