/** A stretch of a comparison: what stays, goes or comes. */
export interface Run<T> {
  kind: 'same' | 'gone' | 'new'
  items: T[]
}

const most = 2000 // edits; texts that differ more are shown as replaced

/** Compares two lists after Myers (1986): the shortest way from one to the other. */
export function compare<T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean = Object.is): Run<T>[] {
  let head = 0
  while (head < a.length && head < b.length && same(a[head]!, b[head]!)) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && same(a[a.length - 1 - tail]!, b[b.length - 1 - tail]!)) tail++
  const middle = shortest(a.slice(head, a.length - tail), b.slice(head, b.length - tail), same)
  const runs: Run<T>[] = []
  const put = (kind: Run<T>['kind'], items: readonly T[]) => {
    if (!items.length) return
    const last = runs.at(-1)
    if (last?.kind === kind) last.items.push(...items)
    else runs.push({ kind, items: [...items] })
  }
  put('same', a.slice(0, head))
  for (const r of middle) put(r.kind, r.items)
  put('same', a.slice(a.length - tail))
  return runs
}

function shortest<T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean): Run<T>[] {
  if (!a.length || !b.length)
    return [
      { kind: 'gone', items: [...a] },
      { kind: 'new', items: [...b] },
    ]
  const bound = Math.min(a.length + b.length, most)
  const reach = new Int32Array(2 * bound + 3)
  const trace: Int32Array[] = []
  const mid = bound + 1
  for (let d = 0; d <= bound; d++) {
    // Only the diagonals that this step can have touched are kept.
    trace.push(reach.slice(mid - d - 1, mid + d + 2))
    for (let k = -d; k <= d; k += 2) {
      let x = k === -d || (k !== d && reach[mid + k - 1]! < reach[mid + k + 1]!) ? reach[mid + k + 1]! : reach[mid + k - 1]! + 1
      while (x < a.length && x - k < b.length && same(a[x]!, b[x - k]!)) x++
      reach[mid + k] = x
      if (x >= a.length && x - k >= b.length) return walk(a, b, trace, d, k)
    }
  }
  return [
    { kind: 'gone', items: [...a] },
    { kind: 'new', items: [...b] },
  ]
}

function walk<T>(a: readonly T[], b: readonly T[], trace: Int32Array[], steps: number, last: number): Run<T>[] {
  const back: Run<T>[] = []
  let x = a.length
  let k = last
  for (let d = steps; d > 0; d--) {
    const reach = trace[d]!
    const at = (diagonal: number) => reach[diagonal + d + 1]!
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1))
    const before = down ? k + 1 : k - 1
    const from = at(before)
    const start = down ? from : from + 1
    for (; x > start; x--) back.push({ kind: 'same', items: [a[x - 1]!] })
    back.push(down ? { kind: 'new', items: [b[from - before]!] } : { kind: 'gone', items: [a[from]!] })
    x = from
    k = before
  }
  for (; x > 0; x--) back.push({ kind: 'same', items: [a[x - 1]!] })
  return back.reverse()
}

/** Words, the space between them, and each sign that is no word or is Chinese. */
export const wordsOf = (line: string): string[] => line.match(/[\p{Script=Han}]|[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? []

export interface Line {
  kind: 'same' | 'gone' | 'new' | 'fold'
  old?: number
  new?: number
  /** The line in parts, those that changed marked. */
  parts: { text: string; changed: boolean }[]
  /** How many equal lines are folded away here. */
  folded?: number
}

/** Two texts, line by line, with `context` equal lines around what changed. */
export function lines(before: string, after: string, context = 3): Line[] {
  const list: Line[] = []
  let [o, n] = [1, 1]
  const runs = compare(before.split('\n'), after.split('\n'))
  runs.forEach((run, i) => {
    if (run.kind === 'same') {
      const [top, bottom] = [i === 0 ? 0 : context, i === runs.length - 1 ? 0 : context]
      const fold = run.items.length - top - bottom
      run.items.forEach((text, j) => {
        if (fold > 1 && j >= top && j < run.items.length - bottom) {
          if (j === top) list.push({ kind: 'fold', parts: [], folded: fold, old: o + j, new: n + j })
        } else list.push({ kind: 'same', old: o + j, new: n + j, parts: [{ text, changed: false }] })
      })
      o += run.items.length
      n += run.items.length
    } else {
      const other = run.kind === 'gone' ? runs[i + 1] : runs[i - 1]
      const pair = other && other.kind !== 'same' && other.items.length === run.items.length ? other.items : undefined
      run.items.forEach((text, j) =>
        list.push({
          kind: run.kind,
          ...(run.kind === 'gone' ? { old: o++ } : { new: n++ }),
          parts: pair ? marked(text, pair[j]!) : [{ text, changed: false }],
        }),
      )
    }
  })
  return list
}

/** A line with the words marked that its counterpart has not; nothing is marked where little is alike. */
function marked(line: string, other: string): Line['parts'] {
  const runs = compare(wordsOf(line), wordsOf(other)).filter((r) => r.kind !== 'new')
  const alike = runs.filter((r) => r.kind === 'same').reduce((sum, r) => sum + r.items.join('').trim().length, 0)
  if (alike * 3 < line.trim().length) return [{ text: line, changed: false }]
  return runs.map((r) => ({ text: r.items.join(''), changed: r.kind === 'gone' }))
}
