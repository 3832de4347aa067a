import type { Tone } from '../Badge.vue'
import { gap, place, type Cell, type Layout } from './layout'

export interface State {
  key: string
  label: string
  tone: Tone
}

export interface Colours {
  tones: Record<Tone, string>
  soft: Record<Tone, string>
  text: string
  muted: string
  accent: string
  sign: string
  font: string
}

/** The colours of the theme that is shown; a canvas knows no variables. */
export function colours(): Colours {
  const style = getComputedStyle(document.documentElement)
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim() || '#888'
  const each = (kind: string) =>
    Object.fromEntries((['ok', 'warn', 'bad', 'hold', 'idle', 'run'] as const).map((t) => [t, of(`${t}-${kind}`)])) as Record<Tone, string>
  return {
    tones: each('solid'),
    soft: each('soft'),
    text: of('text'),
    muted: of('muted'),
    accent: of('focus'),
    sign: of('surface'),
    font: style.fontFamily || 'sans-serif',
  }
}

/** A sign for what should be seen without colours: crossed, bang, pause, dot. */
function sign(c: CanvasRenderingContext2D, tone: Tone, x: number, y: number, size: number, colour: string) {
  const [a, b, m] = [size * 0.3, size * 0.7, size / 2]
  c.strokeStyle = c.fillStyle = colour
  c.lineWidth = Math.max(1.4, size / 10)
  c.lineCap = 'round'
  c.beginPath()
  const line = (x1: number, y1: number, x2: number, y2: number) => {
    c.moveTo(x + x1, y + y1)
    c.lineTo(x + x2, y + y2)
  }
  if (tone === 'bad') {
    line(a, a, b, b)
    line(b, a, a, b)
  } else if (tone === 'warn') {
    line(m, size * 0.24, m, size * 0.54)
    line(m, size * 0.75, m, size * 0.76)
  } else if (tone === 'hold') {
    line(size * 0.38, a, size * 0.38, b)
    line(size * 0.62, a, size * 0.62, b)
  } else if (tone === 'run') {
    c.arc(x + m, y + m, size * 0.17, 0, Math.PI * 2)
    c.fill()
    return
  } else return
  c.stroke()
}

function square(c: CanvasRenderingContext2D, x: number, y: number, size: number, colour: string) {
  c.fillStyle = colour
  c.beginPath()
  c.roundRect(x, y, size, size, 3)
  c.fill()
}

/** A square that fills from below, framed so that an empty one is seen too. */
function part(c: CanvasRenderingContext2D, tone: Tone, x: number, y: number, size: number, percent: number, k: Colours) {
  square(c, x, y, size, k.soft[tone])
  c.save()
  c.beginPath()
  c.roundRect(x, y, size, size, 3)
  c.clip()
  c.fillStyle = k.tones[tone]
  const h = (size * Math.min(100, Math.max(0, percent))) / 100
  c.fillRect(x, y + size - h, size, h)
  c.restore()
  c.strokeStyle = k.tones[tone]
  c.lineWidth = 1
  c.beginPath()
  c.roundRect(x + 0.5, y + 0.5, size - 1, size - 1, 2.5)
  c.stroke()
}

export interface Scene {
  cells: Cell[]
  states: Map<string, State>
  layout: Layout
  /** Only this state is in full colour. */
  only?: string
  active: number
  selected?: string
  showActive: boolean
  batch: (name: string, count: number) => string
}

/** Draws what lies between top and top + height. */
export function paint(c: CanvasRenderingContext2D, s: Scene, top: number, width: number, height: number, k: Colours): void {
  c.clearRect(0, 0, width, height)
  const { size, columns, groups } = s.layout
  for (const g of groups) {
    const rows = Math.ceil(g.count / columns)
    if (g.top + rows * (size + gap) < top || g.top - 24 > top + height) continue
    if (g.batch !== undefined) {
      c.fillStyle = k.muted
      c.font = `500 12px ${k.font}`
      c.textBaseline = 'alphabetic'
      c.fillText(s.batch(g.batch, g.count), 0, g.top - top - 8)
    }
    const first = Math.max(0, Math.floor((top - g.top) / (size + gap))) * columns
    const last = Math.min(g.count, (Math.ceil((top + height - g.top) / (size + gap)) + 1) * columns)
    for (let n = first; n < last; n++) {
      const cell = s.cells[g.start + n]!
      const tone = s.states.get(cell.state)?.tone ?? 'idle'
      const x = (n % columns) * (size + gap)
      const y = g.top + Math.floor(n / columns) * (size + gap) - top
      c.globalAlpha = s.only && s.only !== cell.state ? 0.18 : 1
      if (cell.part !== undefined) part(c, tone, x, y, size, cell.part, k)
      else square(c, x, y, size, k.tones[tone])
      if (size >= 10 && cell.part === undefined) sign(c, tone, x, y, size, k.sign)
    }
  }
  c.globalAlpha = 1
  const ring = (i: number, colour: string) => {
    const at = place(s.layout, i)
    c.strokeStyle = colour
    c.lineWidth = 2
    c.beginPath()
    c.roundRect(at.x - 0.5, at.y - top - 0.5, size + 1, size + 1, 4)
    c.stroke()
  }
  const chosen = s.selected === undefined ? -1 : s.cells.findIndex((x) => x.id === s.selected)
  if (chosen >= 0) ring(chosen, k.text)
  if (s.showActive && s.cells[s.active]) ring(s.active, k.accent)
}
