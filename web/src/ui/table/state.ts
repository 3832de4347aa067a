import { computed, onScopeDispose, reactive, ref, watch, type Ref } from 'vue'
import { useRoute, useRouter, type LocationQuery } from 'vue-router'
import type { Sort } from './columns'

export interface TableOptions<F extends string> {
  /** The names of the further filters. */
  filters?: readonly F[]
  sort?: Sort
  /** Sets the names in the address apart where a page has two tables. */
  prefix?: string
}

export interface TableState<F extends string = string> {
  /** What stands in the search box. */
  text: Ref<string>
  filters: Record<F, string>
  sort: Ref<Sort | undefined>
  selection: Ref<string[]>
  /** What is asked for: as the above, the text once typing rests. */
  asked: Readonly<Ref<{ text: string; sort: Sort | undefined; filters: Record<F, string> }>>
  /** Whether anything narrows the list. */
  narrowed: Readonly<Ref<boolean>>
  clear: () => void
}

const most = 100 // what an address holds of a selection

export function readSort(text: string): Sort | undefined {
  if (!text || text === '-') return undefined
  return text.startsWith('-') ? { key: text.slice(1), desc: true } : { key: text }
}
export const writeSort = (sort: Sort | undefined): string => (sort ? (sort.desc ? '-' : '') + sort.key : '')

const one = (query: LocationQuery, name: string): string => {
  const v = query[name]
  return (Array.isArray(v) ? v[0] : v) ?? ''
}

/** Keeps what narrows and orders a list in the address, so that it can be shared and gone back to. */
export function useTableState<F extends string = never>(options: TableOptions<F> = {}): TableState<F> {
  const route = useRoute()
  const router = useRouter()
  const at = (name: string) => (options.prefix ?? '') + name
  const names = options.filters ?? []
  const home = route.path
  const usual = writeSort(options.sort)

  const read = (query: LocationQuery) => ({
    text: one(query, at('q')),
    sort: query[at('sort')] === undefined ? options.sort : readSort(one(query, at('sort'))),
    filters: Object.fromEntries(names.map((n) => [n, one(query, at(n))])) as Record<F, string>,
    selection: one(query, at('sel')).split(',').filter(Boolean),
  })

  const first = read(route.query)
  const text = ref(first.text)
  const sort = ref(first.sort)
  const filters = reactive({ ...first.filters }) as Record<F, string>
  const selection = ref(first.selection)
  const asked = computed(() => read(route.path === home ? route.query : {}))

  function wanted(): Record<string, string> {
    const order = writeSort(sort.value)
    const fields: Record<string, string> = {
      q: text.value.trim(),
      sort: order === usual ? '' : order || '-',
      sel: selection.value.slice(0, most).join(','),
    }
    for (const n of names) fields[n] = filters[n]
    return Object.fromEntries(Object.entries(fields).map(([k, v]) => [at(k), v]))
  }
  function write() {
    if (route.path !== home) return
    const query = { ...router.currentRoute.value.query }
    for (const [k, v] of Object.entries(wanted()))
      if (v) query[k] = v
      else delete query[k]
    void router.replace({ query, hash: route.hash })
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  function later(ms: number) {
    clearTimeout(timer)
    timer = setTimeout(write, ms)
  }
  watch(text, () => later(250))
  watch([sort, () => ({ ...filters })], () => later(0), { deep: true })
  watch(selection, () => later(250))
  watch(
    () => route.query,
    (query) => {
      if (route.path !== home) return
      const now = read(query)
      if (now.text !== text.value.trim()) text.value = now.text
      if (writeSort(now.sort) !== writeSort(sort.value)) sort.value = now.sort
      Object.assign(filters, now.filters)
      if (selection.value.length <= most && now.selection.join() !== selection.value.join()) selection.value = now.selection
    },
  )
  onScopeDispose(() => clearTimeout(timer))

  function clear() {
    text.value = ''
    for (const n of names) filters[n] = ''
  }
  return { text, filters, sort, selection, asked, narrowed: computed(() => !!text.value.trim() || names.some((n) => !!filters[n])), clear }
}
