import { useMutation, useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, reactive, ref, shallowRef, watch, type Ref } from 'vue'
import { ask, client } from '@/api/client'
import { Problem, problemOf } from '@/api/problem'
import type { Row } from '@/parts/objects'
import { copy, draftOf, emptyDraft, placed, steps, typeOfAttributes, typeOfTypes, type Draft, type Step } from './draft'

/** Definitions of types belong to no project of their own. */
const project = 'default'

async function all(plugin: string, type: string, attr: string, value: string): Promise<Row[]> {
  const rows: Row[] = []
  for (let after: string | undefined; ; ) {
    const page = await ask(client.POST('/api/v1/objects/{type}/query', { params: { path: { type: `${plugin}:${type}` }, query: { project } }, body: { limit: 200, after, additionalFilters: [{ attrName: attr, op: 'eq', condition: value }] } }))
    rows.push(...((page.items ?? []) as Row[]))
    if (!page.next) return rows
    after = page.next
  }
}

async function read(plugin: string, name: string): Promise<Draft> {
  const [type] = await all(plugin, typeOfTypes, 'id', name)
  if (!type) throw new Problem({ status: 404, code: 'object.not_found', title: `${plugin}:${name}` })
  return draftOf(type, await all(plugin, typeOfAttributes, 'object_type', name))
}

async function send(plugin: string, s: Step): Promise<void> {
  const params = { path: { type: `${plugin}:${s.of}` }, query: { project } }
  if (s.verb === 'create') await ask(client.POST('/api/v1/objects/{type}', { params, body: s.rows as never }))
  if (s.verb === 'update') await ask(client.PATCH('/api/v1/objects/{type}', { params, body: s.rows as never }))
  if (s.verb === 'delete') for (const r of s.rows) await ask(client.DELETE('/api/v1/objects/{type}/{id}', { params: { ...params, path: { ...params.path, id: String(r.id) } } }))
}

/** A type that is drawn up or changed. It is stored through the objects of its definition, so that whoever may change those may change it. */
export function useTypeDraft(plugin: Ref<string>, name: Ref<string | undefined>) {
  const queries = useQueryClient()
  const draft = reactive<Draft>(emptyDraft())
  const before = shallowRef<Draft>()
  const errors = ref<{ at: Record<string, string>; rest: string[] }>({ at: {}, rest: [] })
  const query = useQuery({ queryKey: computed(() => ['objects', project, 'definition', plugin.value, name.value]), queryFn: () => read(plugin.value, name.value!), enabled: computed(() => !!name.value), staleTime: 0, refetchOnWindowFocus: false, retry: false })

  function reset() {
    Object.assign(draft, copy(before.value ?? emptyDraft()))
    errors.value = { at: {}, rest: [] }
  }
  const todo = computed(() => steps(before.value, draft))
  const pristine = ref(true)
  watch(
    () => query.data.value,
    (now) => {
      if (!now || before.value) return
      before.value = now
      reset()
    },
    { immediate: true },
  )
  watch(draft, () => (pristine.value = false))
  const dirty = computed(() => (before.value ? todo.value.length > 0 : !pristine.value))

  const save = useMutation({
    mutationFn: async () => {
      errors.value = { at: {}, rest: [] }
      const isNew = !before.value
      for (const s of todo.value) {
        try {
          await send(plugin.value, s)
        } catch (cause) {
          const id = draft.type.id.trim()
          // A type without its attributes is none: what was begun is taken back.
          if (isNew && s.of === typeOfAttributes) await ask(client.DELETE('/api/v1/objects/{type}/{id}', { params: { path: { type: `${plugin.value}:${typeOfTypes}`, id }, query: { project } } }))
          // What was stored before the refusal stays, and what is to be done is found anew.
          else if (!isNew || s.of !== typeOfTypes || s.verb === 'update') {
            before.value = await read(plugin.value, id)
            for (const a of draft.attributes) a.key = before.value.attributes.find((b) => b.name === a.name.trim())?.key ?? a.key
          }
          errors.value = placed(s, draft, problemOf(cause).fields)
          throw cause
        }
      }
    },
    onSuccess: async () => {
      before.value = await read(plugin.value, draft.type.id.trim())
      reset()
    },
    onSettled: () => Promise.all([queries.invalidateQueries({ queryKey: ['object-types'] }), queries.invalidateQueries({ queryKey: ['objects'] }), queries.invalidateQueries({ queryKey: ['audit'] })]),
  })
  const remove = useMutation({
    mutationFn: () => send(plugin.value, { verb: 'delete', of: typeOfTypes, rows: [{ id: before.value!.type.id }], keys: [''] }),
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: ['object-types'] }), queries.invalidateQueries({ queryKey: ['objects'] })]),
  })
  return { query, draft, before, dirty, errors, save, remove, reset }
}
