import { keepPreviousData, useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'
import { ask, client, type Schemas } from '@/api/client'
import { useSession } from '@/app/session'
import { observedSuffix, typeRef, type Attribute, type ObjectType, type Row } from '@/parts/objects'
import { usePages } from '@/parts/pages'
import { useSettled } from '@/ui/settled'
import type { TableState } from '@/ui/table/state'

/** Attributes whose filter is one of few values, and not a part of a text. */
export const chosenFrom = (a: Attribute) => a.type === 'enum' || a.type === 'bool'

/** The column that names an object, and what the server orders it by. */
export const nameKey = 'displayName'

/** As many objects one start takes, and as many are chosen at once. */
export const mostChosen = 5000

/** Further is not counted for a list. */
const mostCounted = 20_000

/** What a list can be narrowed by: its attributes, and of those that are observed what is seen. */
export function filterable(type: ObjectType): Attribute[] {
  return (type.attributes ?? [])
    .filter((a) => !a.secret)
    .flatMap((a) => (a.observed && a.type === 'enum' ? [a, { ...a, name: a.name + observedSuffix, observed: false }] : [a]))
}

/** The attribute whose values are the states of objects: one called so, else the first that is seen. */
export function stateOf(type: ObjectType): Attribute | undefined {
  const few = (type.attributes ?? []).filter((a) => a.type === 'enum' && !a.secret)
  return few.find((a) => /^(state|status|health|phase)$/i.test(a.name)) ?? few.find((a) => a.observed)
}
/** What is counted: what is seen, where that is told apart from what is wanted. */
export const stateKey = (a: Attribute) => a.name + (a.observed ? observedSuffix : '')

function filterOf(a: Attribute, text: string): Schemas['WireFilter'] {
  if (a.type === 'bool') return { attrName: a.name, op: 'eq', condition: text === 'true' }
  if (a.type === 'int' || a.type === 'number') return { attrName: a.name, op: 'eq', condition: Number(text) }
  return { attrName: a.name, op: a.type === 'string' || a.type === 'text' ? 'like' : 'eq', condition: text }
}

/** The objects of a type, page by page, as the address asks for them, and how many there are. */
export function useRows(type: ObjectType, asked: TableState['asked']) {
  const session = useSession()
  const ref = typeRef(type)
  const named = type.display || 'id'
  const attributes = filterable(type)
  const params = computed(() => ({ path: { type: ref }, query: { project: session.project } }))
  const narrowed = (but?: string): Schemas['WireFilter'][] => {
    const { text, filters } = asked.value
    const by: Schemas['WireFilter'][] = text ? [{ attrName: named, op: 'like', condition: text }] : []
    for (const a of attributes) if (filters[a.name] && a.name !== but) by.push(filterOf(a, filters[a.name]!))
    return by
  }
  const body = computed(() => {
    const { sort } = asked.value
    return {
      limit: 100,
      additionalFilters: narrowed(),
      orderBy: sort ? [`${sort.desc ? '-' : ''}${sort.key === nameKey ? named : sort.key}`] : [],
    }
  })
  const list = usePages<Row>({
    key: () => ['objects', session.project, ref, 'rows', body.value],
    ask: async (after, signal) =>
      (await ask(client.POST('/api/v1/objects/{type}/query', { params: params.value, body: { ...body.value, after }, signal }))) as {
        items: Row[] | null
        next?: string
      },
    keep: true,
  })

  // The rows come first, then how many there are.
  const settled = useSettled()
  const count = (name: string, filters: () => Schemas['WireFilter'][], by?: string) =>
    useQuery({
      queryKey: computed(() => ['object-counts', session.project, ref, name, by, filters()]),
      queryFn: ({ signal }) =>
        ask(
          client.POST('/api/v1/objects/{type}/count', {
            params: params.value,
            body: { additionalFilters: filters(), by, most: mostCounted },
            signal,
          }),
        ),
      placeholderData: keepPreviousData,
      enabled: settled,
      retry: false,
      // A count reads all that it counts: not with every change of one object.
      refetchInterval: 15_000,
    })
  const total = count('total', () => narrowed())
  const state = stateOf(type)
  // The states of what is found otherwise: to choose another one, it has to stand there.
  const states = state ? count('states', () => narrowed(stateKey(state)), stateKey(state)) : undefined

  /** The ids of all that is found, as many as may be chosen at once. */
  async function allIds(): Promise<string[]> {
    const ids: string[] = []
    for (let after: string | undefined, more = true; more && ids.length < mostChosen; more = !!after) {
      const page = await ask(
        client.POST('/api/v1/objects/{type}/query', {
          params: params.value,
          body: { limit: 1000, fields: ['id'], additionalFilters: narrowed(), orderBy: body.value.orderBy, after },
        }),
      )
      ids.push(...((page.items ?? []) as Row[]).map((r) => String(r.id)))
      after = page.next || undefined
    }
    return ids.slice(0, mostChosen)
  }
  return { list, total: computed(() => total.data.value), state, states: computed(() => states?.data.value), allIds }
}
