/** What somebody asks of the palette: some words, or what to do and on what. */
export interface Asked {
  words: string
  /** What is to be done, where both are told. */
  act?: string
  /** What it is to be done on. */
  on?: string
  /** Whose audit log. */
  audit?: string
}

const orders = [/^(?<act>.+?)\s+on\s+(?<on>\S.*)$/i, /^在\s*(?<on>.+?)\s*上\s*(?<act>.+)$/]
const audits = [/^(?:open\s+)?audit(?:\s+log)?\s+of\s+(?<who>\S.*)$/i, /^(?<who>.+?)\s*的审计(?:日志)?$/]

const first = (all: RegExp[], text: string) => all.map((r) => r.exec(text)?.groups).find(Boolean)

/** Reads "run script on web-1", "在 web-1 上执行脚本", "audit of ana", or plain words. */
export function readAsked(text: string): Asked {
  const words = text.trim()
  const order = first(orders, words)
  return { words, act: order?.act, on: order?.on, audit: first(audits, words)?.who }
}

/** Whether all words stand in a text, in any order. */
export function fits(text: string, words: string): boolean {
  const all = text.toLowerCase()
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((w) => all.includes(w))
}
