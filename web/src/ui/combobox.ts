import { onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'

export interface Option {
  value: string
  label: string
  hint?: string
  disabled?: boolean
}

/** What stands in the list: given options narrowed by the words, or those that `load` finds for them. The last question wins. */
export function useOptions(
  text: Ref<string>,
  open: Ref<boolean>,
  source: { options?: () => Option[] | undefined; load?: () => ((text: string, signal: AbortSignal) => Promise<Option[]>) | undefined },
) {
  const found = shallowRef<Option[]>([])
  const busy = ref(false)
  const cause = shallowRef<unknown>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let abort: AbortController | undefined

  async function ask(load: (text: string, signal: AbortSignal) => Promise<Option[]>) {
    abort?.abort()
    const mine = (abort = new AbortController())
    try {
      const options = await load(text.value, mine.signal)
      if (mine === abort) [found.value, cause.value] = [options, undefined]
    } catch (e) {
      if (mine === abort && !mine.signal.aborted) [found.value, cause.value] = [[], e]
    } finally {
      if (mine === abort) busy.value = false
    }
  }
  function renew(wait: number) {
    clearTimeout(timer)
    const load = source.load?.()
    if (!load) {
      const words = text.value.toLowerCase().split(/\s+/).filter(Boolean)
      found.value = (source.options?.() ?? []).filter((o) =>
        words.every((w) => `${o.label} ${o.hint ?? ''} ${o.value}`.toLowerCase().includes(w)),
      )
      return
    }
    busy.value = true
    timer = setTimeout(() => void ask(load), wait)
  }
  watch(text, () => open.value && renew(200))
  watch([open, () => source.options?.()], ([is]) => is && renew(0), { immediate: true })
  onScopeDispose(() => {
    clearTimeout(timer)
    abort?.abort()
  })
  return { found, busy, cause, retry: () => renew(0) }
}
