import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import { ask, client, type Schemas } from '@/api/client'
import { useSession } from '@/app/session'
import { typeRef, type Attribute, type ObjectType, type Row } from '@/parts/objects'
import type { TableState } from '@/ui/table/state'

/** Attributes whose filter is one of few values, and not a part of a text. */
export const chosenFrom = (a: Attribute) => a.type === 'enum' || a.type === 'bool'

function filterOf(a: Attribute, text: string): Schemas['WireFilter'] {
  if (a.type === 'bool') return { attrName: a.name, op: 'eq', condition: text === 'true' }
  if (a.type === 'int' || a.type === 'number') return { attrName: a.name, op: 'eq', condition: Number(text) }
  return { attrName: a.name, op: a.type === 'string' || a.type === 'text' ? 'like' : 'eq', condition: text }
}

/** The objects of a type, page by page, as the address asks for them. */
export function useRows(type: ObjectType, asked: TableState['asked']) {
  const session = useSession()
  const ref = typeRef(type)
  const attributes = type.attributes ?? []
  const body = computed(() => {
    const { text, sort, filters } = asked.value
    const by: Schemas['WireFilter'][] = text ? [{ attrName: type.display || 'id', op: 'like', condition: text }] : []
    for (const a of attributes) if (filters[a.name]) by.push(filterOf(a, filters[a.name]!))
    return { limit: 100, additionalFilters: by, orderBy: sort ? [`${sort.desc ? '-' : ''}${sort.key}`] : [] }
  })
  const query = useInfiniteQuery({
    queryKey: computed(() => ['objects', session.project, ref, 'rows', body.value]),
    queryFn: ({ pageParam, signal }) => ask(client.POST('/api/v1/objects/{type}/query', { params: { path: { type: ref }, query: { project: session.project } }, body: { ...body.value, after: pageParam || undefined }, signal })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next || undefined,
    placeholderData: keepPreviousData,
  })
  const rows: Readonly<Ref<Row[]>> = computed(() => (query.data.value?.pages ?? []).flatMap((p) => (p.items ?? []) as Row[]))
  return { query, rows }
}
