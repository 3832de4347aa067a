import { useQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { ask, client, type Schemas } from '@/api/client'
import { useSession } from '@/app/session'

export type ObjectType = Schemas['ObjectTypeInfo']
export type Attribute = Schemas['WireAttribute']
export type Row = Record<string, unknown>

export const observedSuffix = '@observed'
/** The version of a row, by which a change says what it is based on. */
export const versionKey = '@version'

/** A text in the language of the console, else in English, else whatever there is. */
export function inLocale(text: Record<string, string> | string | undefined, locale: string): string {
  if (typeof text === 'string') return text
  return text?.[locale] || text?.en || Object.values(text ?? {})[0] || ''
}

export const typeRef = (t: ObjectType) => `${t.plugin}:${t.type}`

/** The parts of an object's reference, package:type/id. */
export function splitRef(ref: string): { type: string; id: string } {
  const at = ref.indexOf('/')
  return at < 0 ? { type: ref, id: '' } : { type: ref.slice(0, at), id: ref.slice(at + 1) }
}

export const objectPath = (type: string, id: string) => `/objects/${type}/${encodeURIComponent(id)}`

export function rowName(row: Row, type?: ObjectType): string {
  const shown = row.displayName ?? (type?.display ? row[type.display] : undefined)
  return typeof shown === 'string' && shown ? shown : String(row.id ?? '')
}

/** The object types of all plugins, with their names in the language of the console. */
export function useObjectTypes() {
  const { locale } = useI18n()
  const session = useSession()
  const query = useQuery({
    queryKey: ['object-types'],
    queryFn: () => ask(client.GET('/api/v1/object-types')),
    staleTime: 60_000,
    enabled: computed(() => session.can('object.read')),
  })
  const all = computed(() => query.data.value?.items ?? [])
  const find = (ref: string) => all.value.find((t) => typeRef(t) === ref)
  const title = (t: ObjectType) => inLocale(t.title, locale.value) || t.type
  const titleOf = (ref: string) => {
    const t = find(ref)
    return t ? title(t) : ref.slice(ref.indexOf(':') + 1)
  }
  const description = (t: ObjectType) => inLocale(t.description, locale.value)
  const attributeTitle = (a: { name: string; title?: Record<string, string> }) => inLocale(a.title, locale.value) || a.name
  return { query, all, find, title, titleOf, description, attributeTitle }
}

/** How all objects are, by type, environment and state. They are counted where they are: not with every change of one. */
export function useObjectStates() {
  const session = useSession()
  return useQuery({
    queryKey: computed(() => ['object-states', session.project]),
    queryFn: ({ signal }) => ask(client.GET('/api/v1/object-states', { params: { query: { project: session.project } }, signal })),
    enabled: computed(() => session.can('object.read')),
    staleTime: 15_000,
    refetchInterval: 30_000,
  })
}

/** Whether what is wanted differs from what is there. Where nothing is wanted, nothing has drifted. */
export function drifted(a: Attribute, row: Row): boolean {
  if (!a.observed) return false
  const wanted = row[a.name]
  if (wanted === undefined || wanted === null || wanted === '') return false
  return JSON.stringify(wanted) !== JSON.stringify(row[a.name + observedSuffix])
}

/** The references that an attribute holds, as package:type/id. */
export function refsOf(a: Attribute, value: unknown): string[] {
  const ids = Array.isArray(value) ? value : value === undefined || value === null || value === '' ? [] : [value]
  return ids.map((id) => `${a.to ?? ''}/${String(id)}`)
}

/** An id that the platform has made, which says nothing to a reader. */
const made = /^[0-9A-HJKMNP-TV-Z]{26}$/

/** Names of objects whose ids say nothing; others are known by their ids. */
export function useObjectNames(objects: Ref<string[]>) {
  const session = useSession()
  const types = useObjectTypes()
  const asked = computed(() => objects.value.filter((o) => made.test(splitRef(o).id)).slice(0, 50))
  const query = useQuery({
    queryKey: computed(() => ['objects', session.project, 'names', ...asked.value]),
    queryFn: async () => {
      const rows = await Promise.allSettled(
        asked.value.map((o) =>
          ask(client.GET('/api/v1/objects/{type}/{id}', { params: { path: splitRef(o), query: { project: session.project } } })),
        ),
      )
      return new Map(rows.flatMap((r, i) => (r.status === 'fulfilled' ? [[asked.value[i]!, r.value as Row] as const] : [])))
    },
    enabled: computed(() => asked.value.length > 0 && session.can('object.read')),
    staleTime: 60_000,
  })
  return (object: string): string => {
    const row = query.data.value?.get(object)
    return row ? rowName(row, types.find(splitRef(object).type)) : splitRef(object).id
  }
}
