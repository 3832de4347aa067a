import type { RouteLocationRaw } from 'vue-router'
import type { Tone } from './Badge.vue'

/** How many there are in a state. */
export interface Count {
  key: string
  label: string
  value: number
  tone: Tone
  /** Where those are that are counted. */
  to?: RouteLocationRaw
}

export interface Share extends Count {
  /** Of the whole, 0 to 1. */
  share: number
  /** What lies before it, 0 to 1. */
  start: number
}

/** The parts of a whole, in their order; what is zero is left out. */
export function shares(counts: Count[]): Share[] {
  const total = counts.reduce((sum, c) => sum + Math.max(0, c.value), 0)
  let before = 0
  return counts
    .filter((c) => c.value > 0)
    .map((c) => {
      const part = { ...c, share: c.value / total, start: before / total }
      before += c.value
      return part
    })
}
