import type { Schemas } from '@/api/client'
import { shownRunState } from '@/parts/states'

const hour = 3_600_000
const order = ['completed', 'cancelled', 'queued', 'stopping', 'active', 'incident', 'failed']

export interface Column {
  at: number
  total: number
  parts: { state: string; start: number; end: number }[]
}

/** The last 24 hours, each with its runs by state one on top of the other; hours without runs are there too. */
export function hours(counts: Schemas['ProcessHour'][], now: number): Column[] {
  const last = Math.floor(now / hour) * hour
  return Array.from({ length: 24 }, (_, i) => {
    const at = last - (23 - i) * hour
    const of = counts
      .filter((c) => new Date(c.hour).getTime() === at)
      .map((c) => ({ ...c, state: shownRunState(c.state) }))
      .sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
    let total = 0
    const parts = of.map((c) => ({ state: c.state, start: total, end: (total += c.runs) }))
    return { at, total, parts }
  })
}

/** How many of a hundred ended runs succeeded; those that a person ended are neither. */
export function rate(states: Record<string, number>): number | undefined {
  const ok = states.completed ?? 0
  const all = ok + (states.failed ?? 0)
  return all ? Math.floor((ok / all) * 100) : undefined
}
