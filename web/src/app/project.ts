/** The project that was looked at here before. */
export function keptProject(): string {
  return localStorage.getItem('sextant.project') ?? 'default'
}
