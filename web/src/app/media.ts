import { onScopeDispose, ref, type Ref } from 'vue'

/** Whether a media query holds, kept up to date. */
export function useMediaQuery(query: string): Readonly<Ref<boolean>> {
  const list = matchMedia(query)
  const holds = ref(list.matches)
  const note = () => (holds.value = list.matches)
  list.addEventListener('change', note)
  onScopeDispose(() => list.removeEventListener('change', note))
  return holds
}
