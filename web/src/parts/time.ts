/** A length of time in its two largest units. */
export function brief(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const s = ms / 1000
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`
  const m = Math.floor(s / 60)
  if (m < 60) return `${m} min ${Math.floor(s % 60)} s`
  const h = Math.floor(m / 60)
  return h < 48 ? `${h} h ${m % 60} min` : `${Math.floor(h / 24)} d ${h % 24} h`
}

interface Span {
  from: string
  to?: string
}
const at = (time: string | undefined, now: number) => (time ? new Date(time).getTime() : now)

/** How long all spans took together, up to now. */
export const lengthOf = (spans: Span[] | null | undefined, now: number) =>
  (spans ?? []).reduce((sum, s) => sum + Math.max(0, at(s.to, now) - at(s.from, now)), 0)

/** A line of time in which long idle stretches are cut to a short one, so that the work stays visible. */
export function cutIdle(busy: [number, number][], from: number, to: number) {
  const merged: [number, number][] = []
  for (const [a, b] of busy.filter(([a, b]) => b >= a).sort((x, y) => x[0] - y[0])) {
    const last = merged.at(-1)
    if (last && a <= last[1]) last[1] = Math.max(last[1], b)
    else merged.push([a, b])
  }
  const work = merged.reduce((sum, [a, b]) => sum + b - a, 0)
  const most = Math.max(50, work * 0.06) // as long as an idle stretch is drawn
  /** Points of true time, and where they are drawn. */
  const points: [number, number][] = [[from, 0]]
  const cuts: number[] = []
  let drawn = 0
  let last = from
  const move = (time: number, idle: boolean) => {
    const gone = Math.max(0, time - last)
    const shown = idle ? Math.min(gone, most) : gone
    if (shown < gone) cuts.push(drawn + shown / 2)
    points.push([(last = Math.max(last, time)), (drawn += shown)])
  }
  for (const [a, b] of merged) {
    move(Math.max(from, a), true)
    move(Math.min(to, b), false)
  }
  move(to, true)
  const whole = Math.max(1, drawn)
  const place = (time: number): number => {
    for (let i = 1; i < points.length; i++) {
      const [[t0, d0], [t1, d1]] = [points[i - 1]!, points[i]!]
      if (time <= t1) return (d0 + (t1 > t0 ? ((time - t0) / (t1 - t0)) * (d1 - d0) : 0)) / whole
    }
    return 1
  }
  return { place, cuts: cuts.map((c) => c / whole) }
}

/** The middle of some numbers. */
export function median(list: number[]): number | undefined {
  const sorted = [...list].sort((a, b) => a - b)
  const mid = sorted.length >> 1
  return sorted.length % 2 ? sorted[mid] : sorted.length ? (sorted[mid - 1]! + sorted[mid]!) / 2 : undefined
}
