import { Exact } from '@/api/exact'
import { isRecord, joinPath, type Json, type Step } from '../paths'

export interface Node {
  path: string
  key?: Step
  depth: number
  value: Json
  /** How many there are within, of an object or a list. */
  size?: number
  open: boolean
  secret: boolean
}

/** Names whose values nobody should read over a shoulder. */
const telling =
  /^(pass(word|wd|phrase)?|secret|token|api[-_]?key|private[-_]?key|credential|authorization)s?$|(password|secret|token|privateKey|_key)$/i

export function children(value: Json): [Step, Json][] {
  if (Array.isArray(value)) return value.map((v, i) => [i, v])
  if (isRecord(value)) return Object.entries(value).filter((e): e is [string, Json] => e[1] !== undefined)
  return []
}

/** A number by its digits is no object, though it is kept as one. */
const exact = (value: unknown) => value instanceof Exact

/** The lines of a tree that are in view, given which of its branches are open. */
export function nodes(root: Json, open: ReadonlySet<string>, secrets: readonly string[] = []): Node[] {
  const list: Node[] = []
  const walk = (value: Json, path: string, depth: number, key: Step | undefined, hidden: boolean) => {
    const secret = hidden || secrets.includes(path) || (typeof key === 'string' && telling.test(key))
    const branch = typeof value === 'object' && value !== null && !exact(value) && !secret
    const within = branch ? children(value) : []
    const isOpen = branch && open.has(path)
    list.push({ path, key, depth, value, size: branch ? within.length : undefined, open: isOpen, secret })
    if (isOpen) for (const [k, v] of within) walk(v, joinPath(path, k), depth + 1, k, secret)
  }
  walk(root, '', 0, undefined, false)
  return list
}

/** The branches that are open at first: as many levels as asked for, with a bound on the whole. */
export function opened(root: Json, levels: number): Set<string> {
  const open = new Set<string>()
  const walk = (value: Json, path: string, depth: number) => {
    if (depth >= levels || open.size > 500 || typeof value !== 'object' || value === null) return
    open.add(path)
    for (const [k, v] of children(value)) walk(v, joinPath(path, k), depth + 1)
  }
  walk(root, '', 0)
  return open
}

/** The value as text to copy, with what is secret left out. */
export function masked(value: Json, secrets: readonly string[] = [], path = '', key?: Step): Json {
  if (secrets.includes(path) || (typeof key === 'string' && telling.test(key))) return '***'
  if (Array.isArray(value)) return value.map((v, i) => masked(v, secrets, joinPath(path, i), i))
  if (isRecord(value)) return Object.fromEntries(children(value).map(([k, v]) => [k, masked(v, secrets, joinPath(path, k), k)]))
  return value
}
