import { computed, onScopeDispose, reactive, ref, shallowRef, watch, type Ref } from 'vue'
import { limits, matcher, search, type Matcher } from './search'
import type { LogStore } from './store'

/** Looking for words in output: which lines hold them, which of these is the current one, and what is wrong with the question. */
export function useFind(store: Ref<LogStore>, count: Ref<number>, reveal: (line: number) => void) {
  const ask = reactive({ text: '', regex: false, exact: false })
  const made = computed(() => matcher(ask.text, ask))
  const match = computed<Matcher | undefined>(() => (typeof made.value === 'function' ? made.value : undefined))
  const refusal = computed(() => (typeof made.value === 'string' ? made.value : undefined))
  const hits = shallowRef<number[]>([])
  const at = ref(-1)
  const busy = ref(false)
  const upTo = ref(0)
  let run = 0

  async function go(from: number) {
    const mine = ++run
    const before = from ? hits.value : []
    if (!match.value) return
    busy.value = true
    await search(
      store.value,
      match.value,
      from,
      (found, to) => {
        hits.value = before.concat(found).slice(0, limits.hits)
        upTo.value = to
        if (at.value < 0 && hits.value.length) step(1)
      },
      () => mine !== run,
    )
    if (mine === run) busy.value = false
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  watch([() => ({ ...ask }), store], () => {
    run++
    busy.value = false
    hits.value = []
    at.value = -1
    upTo.value = 0
    clearTimeout(timer)
    timer = setTimeout(() => void go(0), 150)
  })
  // What is added is looked through as well; the last line may have grown.
  watch(count, (n) => match.value && !busy.value && hits.value.length < limits.hits && n > upTo.value && void go(upTo.value))
  onScopeDispose(() => {
    run++
    clearTimeout(timer)
  })

  function step(by: 1 | -1) {
    const n = hits.value.length
    if (!n) return
    at.value = at.value < 0 ? (by > 0 ? 0 : n - 1) : (at.value + by + n) % n
    reveal(hits.value[at.value]!)
  }
  return {
    ask,
    match,
    refusal,
    hits,
    at,
    busy,
    current: computed(() => (at.value < 0 ? -1 : (hits.value[at.value] ?? -1))),
    most: limits.hits,
    step,
  }
}

export type Find = ReturnType<typeof useFind>
