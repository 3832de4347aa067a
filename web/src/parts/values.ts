/** How a value of an attribute or parameter is written in a field of a form. */
export function asText(type: string, value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string' && type !== 'list' && type !== 'object') return value
  return typeof value === 'object' ? JSON.stringify(value, null, 1) : String(value)
}

/** What such a text means. What cannot be read stays a text, and whoever keeps it says what is wrong with it. */
export function fromText(type: string, text: string): unknown {
  if (type === 'string' || type === 'text') return text
  if (text.trim() === '') return null
  if (type === 'json') return loose(text)
  if (type === 'bool') return text === 'true'
  if (type === 'int' || type === 'number') return /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text.trim()) && Number.isSafeInteger(Math.trunc(Number(text))) ? Number(text) : text
  if (type === 'list' || type === 'object') {
    try {
      return JSON.parse(text) as unknown
    } catch {
      return text
    }
  }
  return text
}

/** A variable of no known type: what reads as JSON is that, anything else is a text. */
function loose(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}
