/** How a piece of output looks. Colours are numbers of the palette, 0 to 15, which the theme knows. */
export interface Style {
  fg?: number
  bg?: number
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

/** The colour of the palette that is most like another one, so that it can be read on either ground. */
function nearest(r: number, g: number, b: number): number {
  const [high, low] = [Math.max(r, g, b), Math.min(r, g, b)]
  const light = (high + low) / 510
  if (high - low < 40) return light < 0.25 ? 0 : light < 0.5 ? 8 : light < 0.8 ? 7 : 15
  const span = high - low
  const hue = (high === r ? ((g - b) / span + 6) % 6 : high === g ? (b - r) / span + 2 : (r - g) / span + 4) * 60
  const plain = hue < 20 || hue >= 335 ? 1 : hue < 72 ? 3 : hue < 160 ? 2 : hue < 200 ? 6 : hue < 252 ? 4 : 5
  return light > 0.6 ? plain + 8 : plain
}

/** A colour of the 256: the palette itself, the cube, the greys. */
function indexed(n: number): number | undefined {
  if (!(n >= 0 && n <= 255)) return undefined
  if (n < 16) return n
  if (n >= 232) {
    const grey = 8 + (n - 232) * 10
    return nearest(grey, grey, grey)
  }
  const c = n - 16
  return nearest(steps[Math.floor(c / 36)]!, steps[Math.floor(c / 6) % 6]!, steps[c % 6]!)
}

/** Reads 38;5;n and 38;2;r;g;b from place i; gives the colour and how many numbers it took. */
function extended(codes: number[], i: number): [number | undefined, number] {
  if (codes[i + 1] === 5) return [indexed(codes[i + 2] ?? -1), 2]
  if (codes[i + 1] === 2) {
    const rgb = codes.slice(i + 2, i + 5)
    return [rgb.length === 3 && rgb.every((n) => n >= 0 && n <= 255) ? nearest(rgb[0]!, rgb[1]!, rgb[2]!) : undefined, 4]
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
    else if (n >= 30 && n <= 37) next.fg = n - 30
    else if (n >= 90 && n <= 97) next.fg = n - 82
    else if (n >= 40 && n <= 47) next.bg = n - 40
    else if (n >= 100 && n <= 107) next.bg = n - 92
    else if (n === 38 || n === 48) {
      const [colour, took] = extended(codes, i)
      if (colour !== undefined) next[n === 38 ? 'fg' : 'bg'] = colour
      i += took
    }
  }
  return next
}

// Any control sequence is taken out; only those that end in m are looked at.
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const sequence = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])?/g
// eslint-disable-next-line no-control-regex -- as above
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

export const isPlain = (s: Style) => !Object.values(s).some((v) => v !== undefined)
