/** How a piece of output looks. Colours are a name of the palette, or a value of their own. */
export interface Style {
  fg?: string
  bg?: string
  bold?: boolean
  dim?: boolean
  italic?: boolean
  underline?: boolean
  strike?: boolean
  inverse?: boolean
}

export interface Piece {
  text: string
  style: Style
}

const steps = [0, 95, 135, 175, 215, 255]

/** A colour of the 256: the first sixteen by name, the cube and the greys by value. */
function indexed(n: number): string | undefined {
  if (!(n >= 0 && n <= 255)) return undefined
  if (n < 16) return `a${n}`
  if (n >= 232) {
    const grey = 8 + (n - 232) * 10
    return `rgb(${grey},${grey},${grey})`
  }
  const c = n - 16
  return `rgb(${steps[Math.floor(c / 36)]},${steps[Math.floor(c / 6) % 6]},${steps[c % 6]})`
}

/** Reads 38;5;n and 38;2;r;g;b from place i; gives the colour and how many numbers it took. */
function extended(codes: number[], i: number): [string | undefined, number] {
  if (codes[i + 1] === 5) return [indexed(codes[i + 2] ?? -1), 2]
  if (codes[i + 1] === 2) {
    const rgb = codes.slice(i + 2, i + 5)
    return [rgb.length === 3 && rgb.every((n) => n >= 0 && n <= 255) ? `rgb(${rgb.join(',')})` : undefined, 4]
  }
  return [undefined, 0]
}

const flags: Record<number, Partial<Style>> = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { strike: true },
  22: { bold: undefined, dim: undefined },
  23: { italic: undefined },
  24: { underline: undefined },
  27: { inverse: undefined },
  29: { strike: undefined },
  39: { fg: undefined },
  49: { bg: undefined },
}

function apply(style: Style, codes: number[]): Style {
  let next = { ...style }
  for (let i = 0; i < codes.length; i++) {
    const n = codes[i]!
    if (n === 0) next = {}
    else if (flags[n]) next = { ...next, ...flags[n] }
    else if (n >= 30 && n <= 37) next.fg = `a${n - 30}`
    else if (n >= 90 && n <= 97) next.fg = `a${n - 82}`
    else if (n >= 40 && n <= 47) next.bg = `a${n - 40}`
    else if (n >= 100 && n <= 107) next.bg = `a${n - 92}`
    else if (n === 38 || n === 48) {
      const [colour, took] = extended(codes, i)
      if (colour) next[n === 38 ? 'fg' : 'bg'] = colour
      i += took
    }
  }
  return next
}

// Any control sequence is taken out; only those that end in m are looked at.
const sequence = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])?/g
const control = /[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]/g

export const plain: Style = Object.freeze({})

/** Splits a line into pieces of one look each, beginning with the look that the line before left. */
export function pieces(line: string, start: Style = plain): { pieces: Piece[]; end: Style } {
  const list: Piece[] = []
  let style = start
  let from = 0
  const put = (to: number) => {
    const text = line.slice(from, to).replace(control, '')
    if (text) list.push({ text, style })
  }
  for (const m of line.matchAll(sequence)) {
    put(m.index)
    from = m.index + m[0].length
    if (m[2] === 'm' && /^[\d;:]*$/.test(m[1]!)) style = apply(style, m[1] === '' ? [0] : m[1]!.split(/[;:]/).map(Number))
  }
  put(line.length)
  return { pieces: list, end: style }
}

/** The line without anything that is no text. */
export function bare(line: string): string {
  return line.includes('\x1b') ? line.replace(sequence, '').replace(control, '') : line.replace(control, '')
}

export const isPlain = (s: Style) => !Object.values(s).some(Boolean)
