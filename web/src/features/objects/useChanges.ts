import { useMutation, useQueryClient } from '@tanstack/vue-query'
import { ask, client } from '@/api/client'
import { useSession } from '@/app/session'
import type { Row } from '@/parts/objects'

/** Creates, changes and deletes objects of a type. What the answer tells is shown at once. */
export function useChanges(type: string) {
  const queries = useQueryClient()
  const session = useSession()
  const params = { path: { type }, query: { project: session.project } }
  const renew = () => {
    void queries.invalidateQueries({ queryKey: ['audit'] })
    return queries.invalidateQueries({ queryKey: ['objects'] })
  }

  const create = useMutation({ mutationFn: (row: Row) => ask(client.POST('/api/v1/objects/{type}', { params, body: [row] as never })), onSuccess: renew })
  const update = useMutation({ mutationFn: (rows: Row[]) => ask(client.PATCH('/api/v1/objects/{type}', { params, body: rows as never })), onSuccess: renew })
  const remove = useMutation({
    mutationFn: async (ids: string[]) => {
      for (const id of ids) await ask(client.DELETE('/api/v1/objects/{type}/{id}', { params: { ...params, path: { type, id } } }))
    },
    onSettled: renew,
  })
  return { create, update, remove }
}
