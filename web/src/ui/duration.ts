import { numberFormat } from './intl'

const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const

/** A length of time in its two largest units, such as 1h 5m. */
export function duration(ms: number, locale: string): string {
  const part = (n: number, unit: string) =>
    numberFormat(locale, { style: 'unit', unit, unitDisplay: 'narrow', maximumFractionDigits: 1 }).format(n)
  if (ms < 1000) return part(Math.round(ms), 'millisecond')
  if (ms < 10_000) return part(Math.floor(ms / 100) / 10, 'second')
  const i = units.findIndex(([, size]) => ms >= size)
  const [unit, size] = units[i]!
  const large = Math.floor(ms / size)
  const next = units[i + 1]
  const small = next ? Math.floor((ms - large * size) / next[1]) : 0
  return part(large, unit) + (next && small ? ` ${part(small, next[0])}` : '')
}
