import { computed, nextTick, ref, watch, type Ref } from 'vue'

export const lineHeight = 20
// Browsers bound the height of an element; beyond this the scroll bar stands for more than its pixels.
const tallest = 8_000_000

/**
 * Which lines are in view. The place is the number of the first line with a
 * fraction, so that it holds for any number of lines and for lines of any height.
 */
export function useLogWindow(
  scroller: Ref<HTMLElement | undefined>,
  block: Ref<HTMLElement | undefined>,
  count: Ref<number>,
  follow: Ref<boolean>,
) {
  const place = ref(0)
  const height = ref(400)
  const shift = ref(0)
  const atEnd = ref(true)

  const fit = computed(() => Math.max(1, Math.floor(height.value / lineHeight)))
  const last = computed(() => Math.max(0, count.value - height.value / lineHeight))
  const total = computed(() => Math.max(height.value, Math.min(tallest, count.value * lineHeight)))
  const room = computed(() => Math.max(0, total.value - height.value))
  const first = computed(() => Math.max(0, Math.min(Math.floor(place.value), count.value - fit.value - 1)))
  const shown = computed(() => Math.min(count.value - first.value, fit.value + 3))
  // Lines of more than one row may need fewer lines than fit to fill the end, so it is drawn from below.

  let setting = false
  function bar() {
    const el = scroller.value
    if (!el) return
    const top = last.value ? (place.value / last.value) * room.value : 0
    if (Math.abs(el.scrollTop - top) < 0.5) return
    setting = true
    el.scrollTop = top
  }
  function settle() {
    const el = block.value
    if (!el) return
    const above = place.value - first.value
    const head = (el.firstElementChild as HTMLElement | null)?.offsetHeight || lineHeight
    const overflow = el.offsetHeight - height.value
    shift.value = atEnd.value && overflow > 0 ? -overflow : -(above < 1 ? above * head : above * lineHeight)
  }
  function to(at: number, fromBar = false) {
    place.value = Math.max(0, Math.min(last.value, at))
    atEnd.value = place.value >= last.value - 0.01
    if (!fromBar) void nextTick(bar)
  }
  function scrolled() {
    if (setting) return void (setting = false)
    const el = scroller.value!
    const ended = el.scrollTop >= room.value - 1
    to(ended ? last.value : room.value ? (el.scrollTop / room.value) * last.value : 0, true)
    follow.value = atEnd.value
  }
  function wheel(e: WheelEvent) {
    if (e.ctrlKey || e.shiftKey || !e.deltaY) return
    // The bar stands for more than its pixels only in very long output; there the wheel moves by lines.
    if (room.value >= last.value * lineHeight - 1) return
    e.preventDefault()
    const lines = e.deltaMode === 1 ? e.deltaY : e.deltaMode === 2 ? e.deltaY * fit.value : e.deltaY / lineHeight
    to(place.value + lines)
    follow.value = atEnd.value
  }
  /** Brings a line into view, a third below the top, unless it is there. */
  function reveal(i: number) {
    if (i >= place.value + 1 && i < place.value + fit.value - 2) return
    to(i - Math.floor(fit.value / 3))
    follow.value = atEnd.value && follow.value
  }
  const end = () => to(last.value)
  watch([count, height], () => (follow.value ? end() : to(place.value)), { flush: 'post' })
  watch(follow, (on) => on && end())
  watch([place, first, shown, count, atEnd, height], () => void nextTick(settle), { flush: 'post' })
  return { place, height, first, shown, total, shift, atEnd, fit, scrolled, wheel, reveal, end, to, settle }
}
