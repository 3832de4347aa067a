/** What one source tells, newest first, and whether it has more. */
export interface Source<T> {
  items: T[]
  more: boolean
}

/** Several sources on one time line, newest first, as far back as all of them reach: what is older may have something between. */
export function merged<T extends { at: string }>(sources: Source<T>[]): T[] {
  const time = (e: T) => Date.parse(e.at)
  const reach = Math.max(-Infinity, ...sources.filter((s) => s.more && s.items.length).map((s) => time(s.items.at(-1)!)))
  return sources
    .flatMap((s) => s.items)
    .filter((e) => time(e) >= reach)
    .sort((a, b) => time(b) - time(a))
}
