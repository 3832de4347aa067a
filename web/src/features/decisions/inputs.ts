import type { Json } from '@/ui/paths'
import type { Schema } from '@/ui/SchemaForm/schema'
import type { Input } from './dmn'

const kids = (e: Element | undefined, name: string) => [...(e?.children ?? [])].filter((c) => c.localName === name)
const told = (e: Element | undefined, name: string) => kids(e, name)[0]?.textContent.trim() ?? ''
const ref = (e: Element) => e.getAttribute('typeRef') || told(e, 'typeRef')

/** Forms of texts that stand for what JSON does not have. */
const examples: Record<string, string> = {
  date: '2026-03-03',
  time: '09:30:00',
  'date and time': '2026-03-03T09:30:00',
  dateTime: '2026-03-03T09:30:00',
  'days and time duration': 'PT8H',
  dayTimeDuration: 'PT8H',
  'years and months duration': 'P1Y',
  yearMonthDuration: 'P1Y',
}
const numbers = new Set(['number', 'integer', 'long', 'double', 'int'])

/** The values that are allowed, where each is a text or a number; nothing where it is said otherwise. */
export function allowed(text: string): Json[] | undefined {
  const item = /\s*("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?)\s*(?:,|$)/y
  const out: Json[] = []
  while (item.lastIndex < text.length) {
    const m = item.exec(text)
    if (!m) return undefined
    out.push(JSON.parse(m[1]!) as Json)
  }
  return out.length ? out : undefined
}

/** What a type of a file is as a JSON Schema; what is not known is JSON. */
function schemaOf(root: Element, type: string, depth = 0): Schema {
  const name = type.replace(/^feel:/, '')
  if (name === 'string') return { type: 'string' }
  // A box that is not checked would not tell false from nothing.
  if (name === 'boolean') return { type: 'boolean', enum: [true, false] }
  if (numbers.has(name)) return { type: 'number' }
  if (examples[name]) return { type: 'string', description: name, 'x-placeholder': examples[name] }
  const item = kids(root, 'itemDefinition').find((i) => i.getAttribute('name') === name)
  return item && depth < 8 ? itemSchema(root, item, depth) : {}
}

function itemSchema(root: Element, item: Element, depth: number): Schema {
  const parts = kids(item, 'itemComponent')
  const schema: Schema = parts.length
    ? {
        type: 'object',
        properties: Object.fromEntries(
          parts.map((p) => [p.getAttribute('name') ?? '', { title: p.getAttribute('name') ?? '', ...itemSchema(root, p, depth + 1) }]),
        ),
      }
    : schemaOf(root, ref(item), depth + 1)
  const values = allowed(told(kids(item, 'allowedValues')[0], 'text'))
  if (values) schema.enum = values
  return item.getAttribute('isCollection') === 'true' ? { type: 'array', items: schema } : schema
}

/** The form for the inputs of a decision. What is left empty is not given, and null. */
export function formOf(root: Element, inputs: Input[]): Schema {
  const one = (i: Input): Schema => {
    const of = schemaOf(root, i.type)
    return { title: i.name, ...of, ...(i.description ? { description: i.description } : {}) }
  }
  // An object that has to be given is open from the beginning.
  const properties = Object.fromEntries(inputs.map((i) => [i.name, one(i)]))
  return { type: 'object', properties, required: inputs.map((i) => i.name).filter((name) => properties[name]!.properties) }
}
