// Numbers of JSON whose digits a double does not keep: 9007199254740993, 1.10.
// What is read here and sent back is the text that was read.

const mark = '\u0000number'

/** A number by its text. */
export class Exact {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text
  }
  toJSON(): string {
    return `${mark}:${this.text}`
  }
}

/** Strings, and numbers outside of them. */
const tokens = /"(?:[^"\\]|\\.)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Reads JSON; a number that a double would change becomes an Exact. */
export function readExact(text: string): unknown {
  const kept = text.replace(tokens, (token) =>
    token.startsWith('"') || String(Number(token)) === token ? token : `{${JSON.stringify(mark)}:"${token}"}`,
  )
  return JSON.parse(kept, (_, v: unknown) =>
    typeof v === 'object' && v !== null && mark in v ? new Exact(String((v as Record<string, unknown>)[mark])) : v,
  ) as unknown
}

/** Writes JSON, each Exact with its own digits. */
export function writeExact(value: unknown, indent?: number): string {
  return ((JSON.stringify(value, null, indent) as string | undefined) ?? 'null').replace(/"\\u0000number:([^"]*)"/g, '$1')
}

/** The number that a text is, or nothing: as a double where that keeps its digits. */
export function exactNumber(text: string): number | Exact | undefined {
  if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) return undefined
  return String(Number(text)) === text ? Number(text) : new Exact(text)
}
