import { onMounted, onScopeDispose, ref, type Ref } from 'vue'

/** Whether the first picture of what is mounted stands: what is long is drawn after it, so that a page answers at once. */
export function useSettled(): Readonly<Ref<boolean>> {
  const settled = ref(false)
  let frame = 0
  onMounted(() => (frame = requestAnimationFrame(() => (frame = requestAnimationFrame(() => (settled.value = true))))))
  onScopeDispose(() => cancelAnimationFrame(frame))
  return settled
}
