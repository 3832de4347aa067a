import { computed, type ComputedRef } from 'vue'

/**
 * Gives each row in view a place that stays its own for as long as it is in view.
 * Places of rows that leave are taken by those that come: what is drawn there is
 * filled anew, which costs a part of drawing it.
 */
export function usePlaces(keys: () => string[]): ComputedRef<Map<string, number>> {
  return computed<Map<string, number>>((before) => {
    const now = keys()
    const stay = new Map(now.filter((k) => before?.has(k)).map((k) => [k, before!.get(k)!]))
    const taken = new Set(stay.values())
    let next = 0
    for (const k of now) {
      if (stay.has(k)) continue
      while (taken.has(next)) next++
      stay.set(k, next++)
    }
    return stay
  })
}
