const isDigit = (code: number) => code >= 48 && code <= 57
const isPlain = (text: string) => /^[\x20-\x7e]*$/.test(text)

/** The order of plain words, without regard to case, numbers in them by their value. */
function natural(a: string, b: string): number {
  let [i, j] = [0, 0]
  while (i < a.length && j < b.length) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(j)]
    if (isDigit(x) && isDigit(y)) {
      let [m, n] = [i, j]
      while (isDigit(a.charCodeAt(m))) m++
      while (isDigit(b.charCodeAt(n))) n++
      const by = Number(a.slice(i, m)) - Number(b.slice(j, n))
      if (by) return by
      ;[i, j] = [m, n]
    } else if (x !== y) {
      return x - y
    } else {
      i++
      j++
    }
  }
  return a.length - i - (b.length - j)
}

let words: Intl.Collator | undefined

/**
 * The order of two texts as people expect it. The browser's own is asked for
 * texts of other letters only: to make it takes sixteen milliseconds, which
 * would be a part of a page's first picture.
 */
export function compareText(a: string, b: string): number {
  if (isPlain(a) && isPlain(b)) return natural(a.toLowerCase(), b.toLowerCase())
  words ??= new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })
  return words.compare(a, b)
}
