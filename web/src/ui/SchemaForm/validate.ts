import { isRecord, joinPath, type Json } from '../paths'
import { kindOf, resolve, typeOf, type Schema } from './schema'

/** What is wrong with a value: the key of its message, and what the message names. */
export interface Fault {
  path: string
  rule:
    | 'required'
    | 'type'
    | 'integer'
    | 'enum'
    | 'pattern'
    | 'minLength'
    | 'maxLength'
    | 'minimum'
    | 'maximum'
    | 'above'
    | 'below'
    | 'multipleOf'
    | 'minItems'
    | 'maxItems'
    | 'unique'
    | 'date'
    | 'time'
    | 'dateTime'
    | 'duration'
    | 'uri'
    | 'email'
    | 'json'
  params?: Record<string, string | number>
}

const formats: Record<string, { rule: Fault['rule']; ok: (v: string) => boolean }> = {
  date: { rule: 'date', ok: (v) => /^\d{4}-\d\d-\d\d$/.test(v) && new Date(`${v}T00:00:00Z`).toISOString().startsWith(v) },
  time: { rule: 'time', ok: (v) => /^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?$/.test(v) },
  'date-time': {
    rule: 'dateTime',
    ok: (v) => /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(v) && !Number.isNaN(Date.parse(v)),
  },
  duration: { rule: 'duration', ok: (v) => /^P(?=\d|T\d)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?)$/.test(v) },
  uri: { rule: 'uri', ok: (v) => /^[a-z][a-z\d+.-]*:\S+$/i.test(v) },
  email: { rule: 'email', ok: (v) => /^[^\s@]+@[^\s@]+$/.test(v) },
}

function valid(format: string, value: string): boolean {
  try {
    return formats[format]?.ok(value) ?? true
  } catch {
    return false
  }
}

function pattern(source: string): RegExp | undefined {
  try {
    return new RegExp(source, 'u')
  } catch {
    return undefined
  }
}

function text(s: Schema, v: string, path: string, add: (f: Fault) => void) {
  const length = [...v].length
  if (s.minLength !== undefined && length < s.minLength) add({ path, rule: 'minLength', params: { n: s.minLength } })
  if (s.maxLength !== undefined && length > s.maxLength) add({ path, rule: 'maxLength', params: { n: s.maxLength } })
  if (s.pattern && pattern(s.pattern)?.test(v) === false) add({ path, rule: 'pattern', params: { pattern: s.pattern } })
  if (s.format && formats[s.format] && !valid(s.format, v)) add({ path, rule: formats[s.format]!.rule })
}

function number(s: Schema, v: number, path: string, add: (f: Fault) => void) {
  if (typeOf(s) === 'integer' && !Number.isInteger(v)) add({ path, rule: 'integer' })
  if (s.minimum !== undefined && v < s.minimum) add({ path, rule: 'minimum', params: { n: s.minimum } })
  if (s.maximum !== undefined && v > s.maximum) add({ path, rule: 'maximum', params: { n: s.maximum } })
  if (s.exclusiveMinimum !== undefined && v <= s.exclusiveMinimum) add({ path, rule: 'above', params: { n: s.exclusiveMinimum } })
  if (s.exclusiveMaximum !== undefined && v >= s.exclusiveMaximum) add({ path, rule: 'below', params: { n: s.exclusiveMaximum } })
  if (s.multipleOf && Math.abs(v / s.multipleOf - Math.round(v / s.multipleOf)) > 1e-9)
    add({ path, rule: 'multipleOf', params: { n: s.multipleOf } })
}

const empty = (v: Json | undefined) => v === undefined || v === null || v === ''

/** All faults of a value, each at its path. The server judges again; this is for who types. */
export function validate(schema: Schema, value: Json | undefined, root: Schema = schema, path = '', required = false): Fault[] {
  const faults: Fault[] = []
  const add = (f: Fault) => void faults.push(f)
  const s = resolve(schema, root)
  const type = typeOf(s)
  const nullable = Array.isArray(s.type) && s.type.includes('null')
  if (empty(value) && !(value === '' && type === 'string' && s.minLength === 0)) {
    if (required && !(value === null && nullable)) add({ path, rule: 'required' })
    return faults
  }
  if (s.enum && !s.enum.some((e) => JSON.stringify(e) === JSON.stringify(value))) add({ path, rule: 'enum' })
  else if (typeof value === 'string' && type === 'string') text(s, value, path, add)
  else if (typeof value === 'number' && (type === 'number' || type === 'integer')) number(s, value, path, add)
  else if (Array.isArray(value) && type === 'array') {
    if (s.minItems !== undefined && value.length < s.minItems) add({ path, rule: 'minItems', params: { n: s.minItems } })
    if (s.maxItems !== undefined && value.length > s.maxItems) add({ path, rule: 'maxItems', params: { n: s.maxItems } })
    if (s.uniqueItems && new Set(value.map((v) => JSON.stringify(v))).size < value.length) add({ path, rule: 'unique' })
    if (s.items) value.forEach((v, i) => faults.push(...validate(s.items!, v, root, joinPath(path, i), true)))
  } else if (isRecord(value) && type === 'object') {
    for (const [key, part] of Object.entries(s.properties ?? {})) {
      const must = !!s.required?.includes(key)
      // An object that nobody has to give is judged once it holds something.
      if (!must && kindOf(resolve(part, root)) === 'object' && value[key] === undefined) continue
      faults.push(...validate(part, value[key], root, joinPath(path, key), must))
    }
  } else if (type !== 'json' && type !== 'boolean' && kindOf(s) !== 'reference') add({ path, rule: 'type' })
  else if (type === 'boolean' && typeof value !== 'boolean') add({ path, rule: 'type' })
  return faults
}
