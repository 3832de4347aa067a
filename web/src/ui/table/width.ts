import { onScopeDispose, ref, watch, type Ref } from 'vue'

/** The width of an element, kept up to date; 0 until it is known. */
export function useWidth(element: Ref<HTMLElement | undefined>): Readonly<Ref<number>> {
  const width = ref(0)
  const watcher = new ResizeObserver(([entry]) => entry && (width.value = entry.contentRect.width))
  watch(element, (now, old) => {
    if (old) watcher.unobserve(old)
    // Told before the next picture; asking here would lay the page out twice.
    if (now) watcher.observe(now)
  })
  onScopeDispose(() => watcher.disconnect())
  return width
}
