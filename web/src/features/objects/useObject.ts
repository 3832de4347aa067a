import { useQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import { ask, client } from '@/api/client'
import { useSession } from '@/app/session'
import { refsOf, rowName, typeRef, useObjectTypes, type Row } from '@/parts/objects'

/** One object. */
export function useObject(type: Ref<string>, id: Ref<string>) {
  const session = useSession()
  const query = useQuery({
    queryKey: computed(() => ['objects', session.project, type.value, 'one', id.value]),
    queryFn: () =>
      ask(
        client.GET('/api/v1/objects/{type}/{id}', {
          params: { path: { type: type.value, id: id.value }, query: { project: session.project } },
        }),
      ),
  })
  return { query, row: computed(() => query.data.value as Row | undefined) }
}

export interface Relation {
  /** The attribute that makes it. */
  label: string
  /** The type of the objects, package:type. */
  type: string
  /** Whether the objects refer to this one. */
  back: boolean
  objects: { ref: string; name: string }[]
  more: boolean
}

const most = 20

/** What an object refers to, and what refers to it. */
export function useRelations(type: Ref<string>, id: Ref<string>, row: Ref<Row | undefined>) {
  const session = useSession()
  const types = useObjectTypes()
  const out = computed<Relation[]>(() => {
    const attributes = types.find(type.value)?.attributes ?? []
    return attributes.flatMap((a) => {
      const refs = a.to && row.value ? refsOf(a, row.value[a.name]) : []
      return refs.length
        ? [
            {
              label: types.attributeTitle(a),
              type: a.to!,
              back: false,
              objects: refs.map((ref) => ({ ref, name: ref.slice(ref.indexOf('/') + 1) })),
              more: false,
            },
          ]
        : []
    })
  })
  const pointing = computed(() =>
    types.all.value.flatMap((t) => (t.attributes ?? []).filter((a) => a.to === type.value).map((a) => ({ t, a }))),
  )
  const back = useQuery({
    queryKey: computed(() => [
      'objects',
      session.project,
      type.value,
      'back',
      id.value,
      pointing.value.map((p) => `${typeRef(p.t)}.${p.a.name}`),
    ]),
    queryFn: ({ signal }) =>
      Promise.all(
        pointing.value.map(async ({ t, a }): Promise<Relation> => {
          const by = { attrName: a.name, op: a.type === 'multiref' ? 'like' : 'eq', condition: id.value }
          const page = await ask(
            client.POST('/api/v1/objects/{type}/query', {
              params: { path: { type: typeRef(t) }, query: { project: session.project } },
              body: { limit: most, additionalFilters: [by] },
              signal,
            }),
          )
          const rows = ((page.items ?? []) as Row[]).filter(
            (r) => a.type !== 'multiref' || refsOf(a, r[a.name]).includes(`${type.value}/${id.value}`),
          )
          return {
            label: types.attributeTitle(a),
            type: typeRef(t),
            back: true,
            objects: rows.map((r) => ({ ref: `${typeRef(t)}/${String(r.id)}`, name: rowName(r, t) })),
            more: !!page.next,
          }
        }),
      ),
    enabled: computed(() => !!row.value && pointing.value.length > 0),
  })
  return { out, back, all: computed(() => [...out.value, ...(back.data.value ?? []).filter((r) => r.objects.length)]) }
}
