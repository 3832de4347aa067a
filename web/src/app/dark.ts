export type Theme = 'light' | 'dark' | 'system'

/** What the browser's user prefers. */
export const dark = matchMedia('(prefers-color-scheme: dark)')

/** What was chosen here before. */
export function keptTheme(): Theme {
  const kept = localStorage.getItem('sextant.theme')
  return kept === 'light' || kept === 'dark' ? kept : 'system'
}

/** Sets the colours of the page, and says whether they are dark. */
export function applyTheme(theme: Theme): boolean {
  const isDark = theme === 'dark' || (theme === 'system' && dark.matches)
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light'
  return isDark
}
