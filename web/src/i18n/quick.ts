/** A text as it was written: words at even places, at odd ones the names of what is filled in between. */
type Parts = string[]

/**
 * Says plain texts without the library, which would compile and run each: that is
 * a tenth of what the first picture of a page costs. What it cannot say itself
 * (plurals, links, escapes, something missing) is undefined, and the library's.
 */
export function quickly(textsOf: (locale: string) => unknown) {
  const known: Record<string, Map<string, Parts>> = {}

  function partsOf(locale: string, key: string): Parts | undefined {
    const all = (known[locale] ??= new Map())
    const kept = all.get(key)
    if (kept) return kept
    let at = textsOf(locale)
    for (const name of key.split('.')) at = (at as Record<string, unknown> | undefined)?.[name]
    if (typeof at !== 'string') return undefined
    const parts = at.split(/\{(\w+)\}/)
    if (parts.some((words, i) => i % 2 === 0 && /[{}@$|\\]/.test(words))) return undefined
    all.set(key, parts)
    return parts
  }

  return (locale: string, key: string, fill: unknown[]): string | undefined => {
    const [named] = fill
    if (fill.length > 1 || (fill.length && (typeof named !== 'object' || named === null || Array.isArray(named)))) return undefined
    const parts = partsOf(locale, key)
    if (!parts || parts.length === 1) return parts?.[0]
    let text = ''
    for (const [i, part] of parts.entries()) {
      const words = i % 2 ? (named as Record<string, unknown> | undefined)?.[part] : part
      if (typeof words !== 'string' && typeof words !== 'number') return undefined
      text += words
    }
    return text
  }
}
