import { useMutation, useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, reactive, ref, shallowRef, watch, type Ref } from 'vue'
import { ask, client } from '@/api/client'
import { Problem, problemOf } from '@/api/problem'
import type { Row } from '@/parts/objects'
import { copy, draftOf, emptyDraft, placed, steps, together, typeOfAttributes, typeOfTypes, type Draft } from './draft'

/** Definitions of types belong to no project of their own. */
const project = 'default'

async function all(plugin: string, type: string, attr: string, value: string): Promise<Row[]> {
  const rows: Row[] = []
  for (let after: string | undefined; ;) {
    const page = await ask(
      client.POST('/api/v1/objects/{type}/query', {
        params: { path: { type: `${plugin}:${type}` }, query: { project } },
        body: { limit: 200, after, additionalFilters: [{ attrName: attr, op: 'eq', condition: value }] },
      }),
    )
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

/** A type that is drawn up or changed. It is stored through the objects of its definition, so that whoever may change those may change it. */
export function useTypeDraft(plugin: Ref<string>, name: Ref<string | undefined>) {
  const queries = useQueryClient()
  const draft = reactive<Draft>(emptyDraft())
  const before = shallowRef<Draft>()
  const errors = ref<{ at: Record<string, string>; rest: string[] }>({ at: {}, rest: [] })
  const query = useQuery({
    queryKey: computed(() => ['objects', project, 'definition', plugin.value, name.value]),
    queryFn: () => read(plugin.value, name.value!),
    enabled: computed(() => !!name.value),
    staleTime: 0,
    refetchOnWindowFocus: false,
    retry: false,
  })

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
      if (!todo.value.length) return
      // All or nothing: what is refused leaves no type without its attributes.
      const { changes, keys } = together(plugin.value, todo.value)
      try {
        await ask(client.POST('/api/v1/object-changes', { params: { query: { project } }, body: { changes: changes as never } }))
      } catch (cause) {
        errors.value = placed({ keys }, draft, problemOf(cause).fields)
        throw cause
      }
    },
    onSuccess: async () => {
      before.value = await read(plugin.value, draft.type.id.trim())
      reset()
    },
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ['object-types'] }),
        queries.invalidateQueries({ queryKey: ['objects'] }),
        queries.invalidateQueries({ queryKey: ['audit'] }),
      ]),
  })
  const remove = useMutation({
    mutationFn: () =>
      ask(
        client.DELETE('/api/v1/objects/{type}/{id}', {
          params: { path: { type: `${plugin.value}:${typeOfTypes}`, id: before.value!.type.id }, query: { project } },
        }),
      ),
    onSuccess: () =>
      Promise.all([queries.invalidateQueries({ queryKey: ['object-types'] }), queries.invalidateQueries({ queryKey: ['objects'] })]),
  })
  return { query, draft, before, dirty, errors, save, remove, reset }
}
