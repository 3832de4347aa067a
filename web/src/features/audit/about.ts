import type { Schemas } from '@/api/client'
import { objectPath, splitRef } from '@/parts/objects'

type Record = Schemas['AuditRecord']

/** What a record is about, by its name where its id says nothing to people. */
export function about(r: Record): string {
  const name = (r.detail as { name?: unknown } | undefined)?.name
  return typeof name === 'string' && /^(user|token)\//.test(r.object) ? `${r.object.slice(0, r.object.indexOf('/'))}/${name}` : r.object
}

/** Where what a record is about is shown. */
export function pathOf(object: string): string | undefined {
  const { type, id } = splitRef(object)
  if (!id) return undefined
  if (type.includes(':')) return objectPath(type, id)
  const pages: { [kind: string]: string } = {
    run: `/runs/${id}`,
    process: `/processes/${encodeURIComponent(id)}`,
    plugin: `/plugins/${encodeURIComponent(id)}`,
    connection: '/connections',
    setting: '/settings',
    user: '/people',
    role: '/people',
    task: '/tasks',
  }
  return pages[type]
}
