import type { LogStore } from './store'

export const limits = { pattern: 200, line: 2000, hits: 10_000, slice: 12 }

export type Matcher = (line: string) => [from: number, to: number][]

export type Refusal = 'broken' | 'long' | 'heavy'

/** Whether an expression may take very long: repetition within repetition, or back references. */
function heavy(source: string): boolean {
  const flat = source.replace(/\\[^1-9k]/g, '.').replace(/\[[^\]]*\]/g, '.')
  if (/\\[1-9k]/.test(flat)) return true
  const repeated = /\((?:[^()]|\([^()]*\))*[*+}|](?:[^()]|\([^()]*\))*\)(?:[*+]|\{\d+,)/
  return repeated.test(flat) || (flat.match(/[*+]|\{\d+,\}/g)?.length ?? 0) > 4
}

/** Makes a matcher of what somebody looks for, or says why not. Long lines are searched up to a bound. */
export function matcher(text: string, options: { regex?: boolean; exact?: boolean }): Matcher | Refusal | undefined {
  if (!text) return undefined
  if (text.length > limits.pattern) return 'long'
  if (options.regex && heavy(text)) return 'heavy'
  let expression: RegExp
  try {
    expression = new RegExp(options.regex ? text : text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), options.exact ? 'g' : 'gi')
  } catch {
    return 'broken'
  }
  return (line) => {
    const found: [number, number][] = []
    for (const m of line.slice(0, limits.line).matchAll(expression)) {
      if (m[0]) found.push([m.index, m.index + m[0].length])
      if (found.length >= 200) break
    }
    return found
  }
}

/** Looks through the lines a slice at a time, so that the page stays alive; gives the lines that match. */
export async function search(
  store: LogStore,
  match: Matcher,
  from: number,
  tell: (hits: number[], upTo: number) => void,
  stopped: () => boolean,
): Promise<void> {
  const hits: number[] = []
  let i = from
  while (i < store.length) {
    const until = performance.now() + limits.slice
    do {
      for (const end = Math.min(i + 200, store.length); i < end; i++) if (match(store.text(i)).length) hits.push(i)
    } while (i < store.length && hits.length < limits.hits && performance.now() < until)
    if (stopped()) return
    tell(hits, i)
    if (hits.length >= limits.hits) return
    await new Promise((next) => setTimeout(next))
    if (stopped()) return
  }
}
