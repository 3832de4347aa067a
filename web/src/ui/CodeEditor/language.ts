export type Language = 'feel' | 'feel-unary' | 'json' | 'plain'

export interface Diagnostic {
  /** Both count from 1; without an end the word at the place is marked. */
  line: number
  column: number
  endLine?: number
  endColumn?: number
  message: string
  severity: 'error' | 'warning' | 'info'
}

export interface Completion {
  label: string
  /** What is put in, where it is not the label. */
  apply?: string
  detail?: string
  info?: string
  kind?: 'variable' | 'function' | 'keyword' | 'property' | 'constant'
}

/** Gives what may stand at a place: the text before the cursor, the word that is being typed, and where it begins. */
export type Complete = (at: { text: string; before: string; word: string; offset: number }) => Completion[] | Promise<Completion[]>

/** The offsets of a diagnostic within a text, kept inside of it. */
export function span(text: string, d: Diagnostic): { from: number; to: number } {
  const lines = text.split('\n')
  const offset = (line: number, column: number) => {
    const row = Math.max(1, Math.min(lines.length, line))
    let at = 0
    for (let i = 0; i < row - 1; i++) at += lines[i]!.length + 1
    return at + Math.max(0, Math.min(lines[row - 1]!.length, column - 1))
  }
  const from = offset(d.line, d.column)
  if (d.endLine !== undefined || d.endColumn !== undefined)
    return { from, to: Math.max(from, offset(d.endLine ?? d.line, d.endColumn ?? d.column)) }
  const word = /^[\p{L}\p{N}_]+|^[^\s]/u.exec(text.slice(from))?.[0] ?? ''
  return { from, to: Math.min(text.length, from + Math.max(word.length, 0)) }
}

/** The word that ends at the cursor. A dot begins a new one. */
export function wordBefore(before: string): string {
  return /[\p{L}\p{N}_$-]*$/u.exec(before)?.[0] ?? ''
}
