import { dateFormat } from '../intl'
import type { Tone } from '../Badge.vue'

export interface Bar {
  id: string
  label: string
  tone: Tone
  /** The name of the state that the tone stands for. */
  state: string
  start: number | string | Date
  /** Without an end it goes on. */
  end?: number | string | Date | null
  /** How deep it stands below others. */
  depth?: number
  detail?: string
}

export interface Span {
  from: number
  to: number
}

export const ms = (t: number | string | Date): number => (typeof t === 'number' ? t : new Date(t).getTime())

/** The time that all bars take up, with a little room at the end. */
export function extent(bars: Bar[], now: number): Span {
  let [from, to] = [Infinity, -Infinity]
  for (const b of bars) {
    from = Math.min(from, ms(b.start))
    to = Math.max(to, b.end === undefined || b.end === null ? now : ms(b.end))
  }
  if (!Number.isFinite(from)) return { from: now - 60_000, to: now }
  const length = Math.max(1000, to - from)
  return { from, to: from + length * 1.02 }
}

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30]
  .map((n) => n * second)
  .concat(
    [1, 2, 5, 10, 15, 30].map((n) => n * minute),
    [1, 2, 3, 6, 12].map((n) => n * hour),
    [1, 2, 7, 14, 30, 90, 365].map((n) => n * day),
  )

/** Round times within a span, at most `many` of them, aligned to the clock of the place. */
export function ticks(span: Span, many: number): { step: number; at: number[] } {
  const least = (span.to - span.from) / Math.max(1, many)
  const step = steps.find((s) => s >= least) ?? steps.at(-1)!
  const shift = new Date(span.from).getTimezoneOffset() * minute
  const first = Math.ceil((span.from - shift) / step) * step + shift
  const at: number[] = []
  for (let t = first; t <= span.to && at.length < 1000; t += step) at.push(t)
  return { step, at }
}

/** How a tick is written, by how far they are apart. */
export function tickFormat(step: number, locale: string): Intl.DateTimeFormat {
  if (step >= day) return dateFormat(locale, { month: 'short', day: 'numeric' })
  if (step >= minute) return dateFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  return dateFormat(locale, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    ...(step < second ? { fractionalSecondDigits: 1 as const } : {}),
  })
}
