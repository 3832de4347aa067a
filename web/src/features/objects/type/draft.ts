import type { ObjectType, Row } from '@/parts/objects'
import { compareText } from '@/ui/order'

/** The types by which a plugin lets people define others: rows of the first are types, rows of the second their attributes. */
export const typeOfTypes = 'object_type'
export const typeOfAttributes = 'object_attribute'

/** The plugins whose object types people define, where this one may. */
export function definable(all: ObjectType[]): string[] {
  const has = (plugin: string, type: string) => all.some((t) => t.plugin === plugin && t.type === type && t.creatable)
  return [...new Set(all.map((t) => t.plugin))].filter((p) => has(p, typeOfTypes) && has(p, typeOfAttributes))
}

/** Whether a type is one that people have defined, and can change. */
export const defined = (all: ObjectType[], t: ObjectType) =>
  definable(all).includes(t.plugin) && ![typeOfTypes, typeOfAttributes, 'history'].includes(t.type)

export const kinds = ['string', 'text', 'int', 'number', 'bool', 'datetime', 'enum', 'ref', 'multiref'] as const
export const flags = ['required', 'unique', 'observed', 'secret'] as const
const typeTexts = ['title_en', 'title_zh', 'description', 'description_zh', 'display', 'scope_project', 'scope_environment'] as const
const attributeTexts = ['type', 'title', 'title_zh', 'values', 'to', 'default'] as const

export type TypeDraft = Record<(typeof typeTexts)[number], string> & { id: string }
export type AttributeDraft = Record<(typeof attributeTexts)[number], string> &
  Record<(typeof flags)[number], boolean> & { key: string; name: string; position: number }
export interface Draft {
  type: TypeDraft
  attributes: AttributeDraft[]
}

let last = 0
const key = () => `new ${++last}`
const str = (v: unknown) => (v === undefined || v === null ? '' : String(v))

/** The values of an enumeration, one a line; they are kept as a list in JSON. */
function asLines(v: unknown): string {
  try {
    const list: unknown = JSON.parse(str(v))
    return Array.isArray(list) ? list.map(String).join('\n') : str(v)
  } catch {
    return str(v)
  }
}

export function emptyAttribute(): AttributeDraft {
  return {
    key: key(),
    name: '',
    position: 0,
    type: 'string',
    title: '',
    title_zh: '',
    values: '',
    to: '',
    default: '',
    required: false,
    unique: false,
    observed: false,
    secret: false,
  }
}

export const emptyDraft = (): Draft => ({
  type: {
    id: '',
    title_en: '',
    title_zh: '',
    description: '',
    description_zh: '',
    display: '',
    scope_project: 'project',
    scope_environment: '',
  },
  attributes: [{ ...emptyAttribute(), name: 'name', title: 'Name', title_zh: '名称' }],
})

/** What is stored, as it is edited. */
export function draftOf(type: Row, attributes: Row[]): Draft {
  const at = (r: Row) => Number(r.position ?? 0)
  const sorted = [...attributes].sort((a, b) => at(a) - at(b) || compareText(str(a.name), str(b.name)))
  return {
    type: {
      id: str(type.id),
      ...(Object.fromEntries(typeTexts.map((k) => [k, str(type[k])])) as Record<(typeof typeTexts)[number], string>),
    },
    attributes: sorted.map((r) => ({
      key: str(r.id),
      name: str(r.name),
      position: at(r),
      ...(Object.fromEntries(attributeTexts.map((k) => [k, k === 'values' ? asLines(r[k]) : str(r[k])])) as Record<
        (typeof attributeTexts)[number],
        string
      >),
      ...(Object.fromEntries(flags.map((k) => [k, r[k] === true])) as Record<(typeof flags)[number], boolean>),
    })),
  }
}

export const copy = (d: Draft): Draft => ({ type: { ...d.type }, attributes: d.attributes.map((a) => ({ ...a })) })

export interface Step {
  verb: 'create' | 'update' | 'delete'
  /** Of types, or of attributes. */
  of: typeof typeOfTypes | typeof typeOfAttributes
  rows: Row[]
  /** The key of the attribute that each row is about. */
  keys: string[]
}

function attributeRow(type: string, a: AttributeDraft): Row {
  const row: Row = { id: `${type}.${a.name}`, object_type: type, name: a.name }
  for (const k of attributeTexts) row[k] = a[k].trim() || null
  if (a.type !== 'enum') row.values = null
  if (a.type !== 'ref' && a.type !== 'multiref') row.to = null
  for (const k of flags) row[k] = a[k]
  return row
}

const differs = (a: unknown, b: unknown) => (a ?? null) !== (b ?? null)

/** Positions are given anew only where the order is another; who comes last follows the others. */
function positions(before: Draft | undefined, after: Draft): boolean {
  const old = (before?.attributes ?? []).map((a) => a.key).filter((k) => after.attributes.some((a) => a.key === k))
  return after.attributes.slice(0, old.length).some((a, i) => a.key !== old[i])
}

/** What is to be asked for so that what is stored becomes what was drawn up: each step all or nothing, and each possible after those before it. */
export function steps(before: Draft | undefined, after: Draft): Step[] {
  const out: Step[] = []
  const step = (verb: Step['verb'], of: Step['of'], entries: [Row, string][]) =>
    entries.length && out.push({ verb, of, rows: entries.map(([r]) => r), keys: entries.map(([, k]) => k) })
  const id = after.type.id.trim()
  const renumber = positions(before, after)
  const known = new Map((before?.attributes ?? []).map((a) => [a.key, attributeRow(id, a)]))
  const highest = Math.max(0, ...(before?.attributes ?? []).map((a) => a.position))
  const place = (i: number) => (i + 1) * 10
  if (!before) {
    const row: Row = { id, paging: true }
    for (const k of typeTexts) if (k !== 'display' && after.type[k].trim()) row[k] = after.type[k].trim()
    step('create', typeOfTypes, [[row, '']])
  }
  step(
    'create',
    typeOfAttributes,
    after.attributes.flatMap((a, i): [Row, string][] =>
      known.has(a.key) ? [] : [[{ ...attributeRow(id, a), position: renumber ? place(i) : highest + place(i) }, a.key]],
    ),
  )
  step(
    'update',
    typeOfAttributes,
    after.attributes.flatMap((a, i): [Row, string][] => {
      const was = known.get(a.key)
      if (!was) return []
      const is: Row = renumber ? { ...attributeRow(id, a), position: place(i) } : attributeRow(id, a)
      const changed = Object.fromEntries(Object.entries(is).filter(([k, v]) => differs(v, was[k])))
      return Object.keys(changed).length ? [[{ id: was.id, ...changed }, a.key]] : []
    }),
  )
  const changed = Object.fromEntries(
    typeTexts
      .filter((k) => (before ? differs(before.type[k].trim(), after.type[k].trim()) : k === 'display' && after.type.display.trim()))
      .map((k) => [k, after.type[k].trim() || null]),
  )
  if (Object.keys(changed).length) step('update', typeOfTypes, [[{ id, ...changed }, '']])
  step(
    'delete',
    typeOfAttributes,
    [...known].filter(([k]) => !after.attributes.some((a) => a.key === k)).map(([k, row]): [Row, string] => [{ id: row.id }, k]),
  )
  return out
}

/** Steps as one set, made together or not at all: what two of them say of one row is said at once. */
export function together(plugin: string, todo: Step[]): { changes: { op: Step['verb']; type: string; row: Row }[]; keys: string[] } {
  const changes: { op: Step['verb']; type: string; row: Row }[] = []
  const keys: string[] = []
  for (const s of todo) {
    s.rows.forEach((row, i) => {
      const type = `${plugin}:${s.of}`
      const known = changes.find((c) => c.type === type && c.row.id === row.id)
      if (known) return void Object.assign(known.row, row)
      changes.push({ op: s.verb, type, row: { ...row } })
      keys.push(s.keys[i]!)
    })
  }
  return { changes, keys }
}

/** Errors by the field that they are about, key.field, and those that are about none. */
export function placed(
  step: Pick<Step, 'keys'>,
  draft: Draft,
  fields: { path: string; message: string }[],
): { at: Record<string, string>; rest: string[] } {
  const at: Record<string, string> = {}
  const rest: string[] = []
  for (const f of fields) {
    const row = /^(?:body\.)?(?:(?:changes)?\[(\d+)\]\.)?([a-z_]+)$/.exec(f.path)
    const other = /:(object_type|object_attribute)\/([^.]+)(?:\.(.+))?\.([a-z_]+)$/.exec(f.path)
    let of: string | undefined
    if (row) of = step.keys[Number(row[1] ?? 0)]
    else if (other) of = other[1] === typeOfTypes ? '' : draft.attributes.find((a) => a.name === other[3])?.key
    // What is to be removed has no field any more.
    if (of === '' || draft.attributes.some((a) => a.key === of)) at[`${of}.${row?.[2] ?? other?.[4]}`] = f.message
    else rest.push(f.message)
  }
  return { at, rest }
}
