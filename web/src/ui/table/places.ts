import { computed, ref, watch, type ComputedRef } from 'vue'
import { usePicture } from '../settled'

/** A row that is to be drawn: what it shows, and where it stands. */
export interface Wanted<T, At> {
  key: string
  row: T
  at: At
}

export interface Placed<T, At> extends Wanted<T, At> {
  place: number
  /** It has left, and what comes to its place is drawn with one of the next pictures. */
  late: boolean
}

/** How long rows may be drawn for one picture, in milliseconds: more would hold up what somebody does. */
const budget = 8
/** How many come with a picture at least, and before it is known how long one takes. */
export const atOnce = 2

interface State<T, At> {
  placed: Placed<T, At>[]
  /** How many came with this picture, and whether more are to come. */
  filled: number
  more: boolean
}

/** Puts rows to places: those that stay to their own, those that come to places that were left, as many of them as `fits` says of so many. */
function seat<T, At extends { index: number }>(
  was: Placed<T, At>[],
  wanted: Wanted<T, At>[],
  inSight: (at: At) => boolean,
  fits: (coming: number) => number,
): State<T, At> {
  const left = new Map(was.map((p) => [p.key, p]))
  const placed: Placed<T, At>[] = []
  const coming: Wanted<T, At>[] = []
  for (const w of wanted) {
    const own = left.get(w.key)
    if (own) placed.push({ ...w, place: own.place, late: false })
    else coming.push(w)
    left.delete(w.key)
  }
  // In the order in which they stand already, so that nothing has to move.
  const free = [...left.values()]
  let next = Math.max(-1, ...was.map((p) => p.place)) + 1
  const pairs = coming.map((w, i) => ({ w, old: free[i] })).sort((a, b) => Number(inSight(b.w.at)) - Number(inSight(a.w.at)))
  const now = pairs.splice(0, fits(pairs.length))
  for (const { w, old } of now) placed.push({ ...w, place: old?.place ?? next++, late: false })
  for (const { old } of pairs) if (old) placed.push({ ...old, late: true })
  // They stand in the document as they are read; while some are late, as they stood.
  const stood = new Map(was.map((p, i) => [p.place, i]))
  const rank = placed.some((p) => p.late) ? (p: Placed<T, At>) => stood.get(p.place) ?? was.length : (p: Placed<T, At>) => p.at.index
  return { placed: placed.sort((a, b) => rank(a) - rank(b)), filled: now.length, more: pairs.length > 0 }
}

/**
 * Gives each row in view a place that stays its own for as long as it is in view.
 * Places of rows that leave are taken by those that come: what is drawn there is
 * filled anew, which costs a part of drawing it. Rows that are too many for one picture
 * come with several, those in sight first: few with the one that answers somebody, and
 * with each after it as many as there is time for.
 */
export function usePlaces<T, At extends { index: number }>(
  wanted: () => Wanted<T, At>[],
  inSight: (at: At) => boolean,
  clock = () => performance.now(),
): ComputedRef<Placed<T, At>[]> {
  const picture = ref(0)
  let [fits, begun, asked, followed] = [atOnce, 0, false, 0]
  const state = computed<State<T, At>>((before) => {
    const follows = picture.value !== followed
    followed = picture.value
    const rows = wanted()
    begun = clock()
    return seat(before?.placed ?? [], rows, inSight, (coming) => (follows || coming <= fits ? fits : atOnce))
  })
  const afterPicture = usePicture()
  const next = () => {
    asked = false
    picture.value++
  }
  const drawn = ({ filled, more }: State<T, At>) => {
    if (filled >= atOnce) fits = Math.max(atOnce, Math.floor((budget * filled) / Math.max(0.1, clock() - begun)))
    if (!more || asked) return
    asked = true
    afterPicture(next)
  }
  watch(state, drawn, { flush: 'post' })
  return computed(() => state.value.placed)
}
