import { useMutation, useQueryClient } from '@tanstack/vue-query'
import { ask, client, type Schemas } from '@/api/client'
import { problemOf } from '@/api/problem'
import { useSession } from '@/app/session'
import { versionKey, type Row } from '@/parts/objects'

/** What is to be written, and why a lock does not bind it. */
export interface Change {
  rows: Row[]
  reason?: string
}

/** As many go in one request where the owner makes no sets of changes. */
const portion = 1000

/** Creates, changes and deletes objects of a type, all or none. What the answer tells is shown at once. */
export function useChanges(type: string) {
  const queries = useQueryClient()
  const session = useSession()
  const query = { project: session.project }
  const params = { path: { type }, query }
  const header = (reason?: string) => (reason ? { 'Override-Reason': reason } : {})
  const renew = () => {
    void queries.invalidateQueries({ queryKey: ['audit'] })
    void queries.invalidateQueries({ queryKey: ['object-counts'] })
    return queries.invalidateQueries({ queryKey: ['objects'] })
  }
  /** Several objects as one set; an owner that makes none is asked in portions. */
  async function together(op: 'update' | 'delete', { rows, reason }: Change, otherwise: () => Promise<unknown>) {
    const changes = rows.map((row): Schemas['ObjectChange'] => ({ op, type, row: row as never }))
    try {
      await ask(client.POST('/api/v1/object-changes', { params: { query, header: header(reason) }, body: { changes } }))
    } catch (cause) {
      if (problemOf(cause).code !== 'object.no_sets') throw cause
      await otherwise()
    }
  }

  const create = useMutation({
    mutationFn: (row: Row) => ask(client.POST('/api/v1/objects/{type}', { params, body: [row] as never })),
    onSuccess: renew,
  })
  const patch = (rows: Row[], reason?: string) =>
    ask(client.PATCH('/api/v1/objects/{type}', { params: { ...params, header: header(reason) }, body: rows as never }))
  const update = useMutation({
    mutationFn: async (change: Change) => {
      if (change.rows.length === 1) return void (await patch(change.rows, change.reason))
      await together('update', change, async () => {
        for (let i = 0; i < change.rows.length; i += portion) await patch(change.rows.slice(i, i + portion), change.reason)
      })
    },
    onSuccess: renew,
  })
  const drop = (row: Row, reason?: string) => {
    const version = row[versionKey]
    return ask(
      client.DELETE('/api/v1/objects/{type}/{id}', {
        params: {
          query,
          path: { type, id: String(row.id) },
          header: { ...header(reason), ...(version === undefined ? {} : { 'If-Match': `"${String(version)}"` }) },
        },
      }),
    )
  }
  const remove = useMutation({
    mutationFn: async (change: Change) => {
      const [only] = change.rows
      if (only && change.rows.length === 1) return void (await drop(only, change.reason))
      await together('delete', change, async () => {
        for (const row of change.rows) await drop(row, change.reason)
      })
    },
    onSettled: renew,
  })
  return { create, update, remove }
}
