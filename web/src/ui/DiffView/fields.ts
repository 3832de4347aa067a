import { isRecord, joinPath, type Json } from '../paths'

export interface Change {
  path: string
  kind: 'added' | 'removed' | 'changed'
  before?: Json
  after?: Json
}

/** What differs between two values, each at its path; a whole part that came or went is one change. */
export function changes(before: Json | undefined, after: Json | undefined, path = ''): Change[] {
  if (before === undefined && after === undefined) return []
  if (before === undefined) return [{ path, kind: 'added', after }]
  if (after === undefined) return [{ path, kind: 'removed', before }]
  if (isRecord(before) && isRecord(after))
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((k) => changes(before[k], after[k], joinPath(path, k)))
  if (Array.isArray(before) && Array.isArray(after))
    return Array.from({ length: Math.max(before.length, after.length) }, (_, i) => changes(before[i], after[i], joinPath(path, i))).flat()
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, kind: 'changed', before, after }]
}
