import { onMounted, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { afterPicture } from './picture'

/** Does something once the picture that is being drawn stands, and not at all where its page has gone by then. */
export function usePicture(): (act: () => void) => void {
  let gone = false
  onScopeDispose(() => (gone = true))
  return (act) => afterPicture(() => gone || act())
}

/** Whether the first picture of what is mounted stands: what is long is drawn after it, so that a page answers at once. */
export function useSettled(): Readonly<Ref<boolean>> {
  const settled = ref(false)
  const after = usePicture()
  onMounted(() => after(() => (settled.value = true)))
  return settled
}

/** What something was before the picture that is being drawn, and nothing before the first: for what may follow a picture later than what it follows. */
export function useLater<T>(source: Readonly<Ref<T>>): Readonly<Ref<T | undefined>> {
  const later = shallowRef<T>()
  const after = usePicture()
  watch(source, () => after(() => (later.value = source.value)), { immediate: true })
  return later
}

/** Whether something is still there: it comes with what opens it, and is taken apart a picture after it is out of sight. */
export function useLinger(open: Readonly<Ref<boolean>>): Readonly<Ref<boolean>> {
  const there = ref(open.value)
  const after = usePicture()
  watch(open, (now) => (now ? (there.value = true) : after(() => (there.value = open.value))))
  return there
}
