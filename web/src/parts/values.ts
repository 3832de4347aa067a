import { Exact, exactNumber, readExact, writeExact } from '@/api/exact'

/** How a value of an attribute or parameter is written in a field of a form. */
export function asText(type: string, value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string' && type !== 'list' && type !== 'object') return value
  return typeof value === 'object' && !(value instanceof Exact) ? writeExact(value, 1) : String(value)
}

/** What such a text means. What cannot be read stays a text, and whoever keeps it says what is wrong with it. */
export function fromText(type: string, text: string): unknown {
  if (type === 'string' || type === 'text') return text
  if (text.trim() === '') return null
  if (type === 'json') return loose(text)
  if (type === 'bool') return text === 'true'
  if (type === 'int' || type === 'number') return number(text)
  if (type === 'list' || type === 'object') {
    try {
      return readExact(text)
    } catch {
      return text
    }
  }
  return text
}

/** A number with all its digits, or the text that is none. */
function number(text: string): unknown {
  const plain = text.trim().replace(/^\+/, '')
  return exactNumber(plain) ?? (/^-?\d+$/.test(plain) ? Number(plain) : text)
}

/** A variable of no known type: what reads as JSON is that, anything else is a text. */
function loose(text: string): unknown {
  try {
    return readExact(text)
  } catch {
    return text
  }
}
