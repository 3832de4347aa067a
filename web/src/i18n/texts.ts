export type Locale = 'en' | 'zh'

/** The texts lie beside what shows them, in any folder's locales; those of one language are loaded, when it is shown. */
export const texts: Record<Locale, () => Promise<{ default: Record<string, unknown> }>> = {
  en: () => import('virtual:texts/en'),
  zh: () => import('virtual:texts/zh'),
}

export function preferred(): Locale {
  const kept = localStorage.getItem('sextant.locale')
  if (kept === 'en' || kept === 'zh') return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}
