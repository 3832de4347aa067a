import { computed, ref, type Ref } from 'vue'

/** Which rows are chosen: one by one, a stretch from the last one, or all that are shown. */
export function useSelection(keys: () => string[], model: Ref<string[]>) {
  const chosen = computed(() => new Set(model.value))
  const anchor = ref(-1)

  const shown = computed(() => {
    const all = keys()
    if (!chosen.value.size) return 'none'
    let n = 0
    for (const k of all) if (chosen.value.has(k)) n++
    return n === 0 ? 'none' : n === all.length ? 'all' : 'some'
  })

  function put(change: (set: Set<string>) => void) {
    const set = new Set(chosen.value)
    change(set)
    model.value = [...set]
  }
  function toggle(i: number) {
    const key = keys()[i]
    if (key === undefined) return
    anchor.value = i
    put((set) => (set.has(key) ? set.delete(key) : set.add(key)))
  }
  /** Chooses, or leaves out, all from the last one to this one, as the last one was. */
  function stretch(i: number) {
    const all = keys()
    const from = all[anchor.value]
    if (from === undefined) return toggle(i)
    const to = chosen.value.has(from)
    put((set) => {
      for (let j = Math.min(anchor.value, i); j <= Math.max(anchor.value, i); j++)
        if (to) set.add(all[j]!)
        else set.delete(all[j]!)
    })
  }
  function all() {
    const to = shown.value !== 'all'
    put((set) => keys().forEach((k) => (to ? set.add(k) : set.delete(k))))
  }
  return { chosen, shown, toggle, stretch, all, clear: () => (model.value = []) }
}
