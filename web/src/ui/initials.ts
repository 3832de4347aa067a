/** The letters that stand for a name: of two words the first of each, of a Chinese name its last two signs. */
export function initials(name: string): string {
  const trimmed = name.trim()
  if (!trimmed) return '?'
  if (/\p{Script=Han}/u.test(trimmed)) return [...trimmed.replace(/[^\p{Script=Han}]/gu, '')].slice(-2).join('')
  const words = trimmed.split(/[\s._@-]+/).filter(Boolean)
  const first = [...(words[0] ?? '?')]
  const second = words.length > 1 ? [...words[1]!][0]! : (first[1] ?? '')
  return (first[0]! + second).toUpperCase()
}

/** A number from 0 to n-1, always the same for a name. */
export function pick(name: string, n: number): number {
  let hash = 7
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)!) >>> 0
  return hash % n
}
