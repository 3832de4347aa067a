import { isRecord, type Json } from '../paths'

/** A text as a schema holds it: in one language, or in several by their code. */
export type Text = string | Record<string, string>

/** The part of JSON Schema 2020-12 that forms are made of. */
export interface Schema {
  type?: 'object' | 'string' | 'number' | 'integer' | 'boolean' | 'array' | 'null' | string[]
  title?: Text
  description?: Text
  default?: Json
  enum?: Json[]
  const?: Json
  format?: string
  pattern?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
  multipleOf?: number
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  minItems?: number
  maxItems?: number
  uniqueItems?: boolean
  writeOnly?: boolean
  readOnly?: boolean
  $ref?: string
  $defs?: Record<string, Schema>
  /** Names for the values of an enum. */
  'x-enum-labels'?: Record<string, Text>
  /** The value refers to an object of this kind: "package:type". */
  'x-object-type'?: string
  'x-placeholder'?: Text
  /** A long text. */
  'x-multiline'?: boolean
}

export function textIn(text: Text | undefined, locale: string): string {
  if (text === undefined || typeof text === 'string') return text ?? ''
  return text[locale] ?? text[locale.split('-')[0]!] ?? text.en ?? Object.values(text)[0] ?? ''
}

/** Follows a reference within the document. */
export function resolve(schema: Schema, root: Schema, depth = 0): Schema {
  if (!schema.$ref || depth > 16) return schema
  const steps = schema.$ref.replace(/^#\/?/, '').split('/').filter(Boolean)
  let at: unknown = root
  for (const step of steps) at = isRecord(at) ? at[step.replace(/~1/g, '/').replace(/~0/g, '~')] : undefined
  const { $ref: _, ...own } = schema
  return isRecord(at) ? resolve({ ...(at as Schema), ...own }, root, depth + 1) : own
}

export function typeOf(s: Schema): string {
  const named = Array.isArray(s.type) ? s.type.find((t) => t !== 'null') : s.type
  if (named) return named
  if (s.properties) return 'object'
  if (s.items) return 'array'
  if (s.enum?.length) return typeof s.enum[0] === 'number' ? 'number' : 'string'
  return 'json'
}

export type Kind = 'reference' | 'choice' | 'object' | 'array' | 'boolean' | 'number' | 'text' | 'json'

/** The control that a value is edited with. */
export function kindOf(s: Schema): Kind {
  if (s['x-object-type']) return 'reference'
  if (s.enum) return 'choice'
  const type = typeOf(s)
  if (type === 'string') return 'text'
  if (type === 'integer' || type === 'number') return 'number'
  if (type === 'object') return s.properties ? 'object' : 'json'
  if (type === 'array') return s.items ? 'array' : 'json'
  return type === 'boolean' ? 'boolean' : 'json'
}

/** What a form starts with: the defaults, and the objects around them. */
export function initial(schema: Schema, root: Schema = schema, depth = 0): Json | undefined {
  const s = resolve(schema, root)
  if (s.default !== undefined) return structuredClone(s.default)
  if (s.const !== undefined) return s.const
  if (kindOf(s) === 'object' && depth < 12) {
    const made: Record<string, Json> = {}
    for (const [key, part] of Object.entries(s.properties ?? {})) {
      const within = resolve(part, root)
      // An object that nobody has to give is left out until somebody sets it.
      if (kindOf(within) === 'object' && within.default === undefined && !s.required?.includes(key)) continue
      const v = initial(part, root, depth + 1)
      if (v !== undefined) made[key] = v
    }
    return made
  }
  if (kindOf(s) === 'array' && s.minItems && depth < 12)
    return Array.from({ length: s.minItems }, () => initial(s.items ?? {}, root, depth + 1) ?? null)
  return undefined
}
