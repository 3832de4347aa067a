export interface Cell {
  id: string
  label: string
  /** The key of one of the states. */
  state: string
  /** Cells of a batch stand together, below its name. */
  batch?: string
  detail?: string
  /** How far it is, 0 to 100, filled from below; without it the whole square is. */
  part?: number
}

export interface Group {
  batch?: string
  /** The place of its first cell, and how many it has. */
  start: number
  count: number
  /** Where its cells begin, in pixels. */
  top: number
}

export interface Layout {
  columns: number
  groups: Group[]
  height: number
  size: number
}

export const gap = 3
const head = 24

/** Puts the cells in rows, batch by batch. Cells of a batch have to follow each other. */
export function layout(cells: Cell[], width: number, size: number): Layout {
  const columns = Math.max(1, Math.floor((width + gap) / (size + gap)))
  const groups: Group[] = []
  let top = 0
  for (let i = 0; i < cells.length;) {
    const batch = cells[i]!.batch
    let end = i
    while (end < cells.length && cells[end]!.batch === batch) end++
    if (batch !== undefined) top += head
    groups.push({ batch, start: i, count: end - i, top })
    top += Math.ceil((end - i) / columns) * (size + gap) + (batch !== undefined ? 6 : 0)
    i = end
  }
  return { columns, groups, height: top, size }
}

function groupOf(l: Layout, i: number): Group | undefined {
  let [low, high] = [0, l.groups.length - 1]
  while (low < high) {
    const mid = (low + high + 1) >> 1
    if (l.groups[mid]!.start <= i) low = mid
    else high = mid - 1
  }
  return l.groups[low]
}

export function place(l: Layout, i: number): { x: number; y: number } {
  const g = groupOf(l, i)
  if (!g) return { x: 0, y: 0 }
  const n = i - g.start
  return { x: (n % l.columns) * (l.size + gap), y: g.top + Math.floor(n / l.columns) * (l.size + gap) }
}

/** The cell at a point, or -1. */
export function hit(l: Layout, x: number, y: number): number {
  const step = l.size + gap
  const column = Math.floor(x / step)
  if (x < 0 || column >= l.columns) return -1
  for (const g of l.groups) {
    if (y < g.top) return -1
    const row = Math.floor((y - g.top) / step)
    const n = row * l.columns + column
    if (row < Math.ceil(g.count / l.columns)) return n < g.count ? g.start + n : -1
  }
  return -1
}

/** The cell a row above or below, across batches. */
export function vertical(l: Layout, i: number, by: 1 | -1): number {
  const g = groupOf(l, i)
  if (!g) return i
  const column = (i - g.start) % l.columns
  const next = i - g.start + by * l.columns
  if (next >= 0 && next < g.count) return g.start + next
  if (by > 0 && Math.floor((i - g.start) / l.columns) < Math.ceil(g.count / l.columns) - 1) return g.start + g.count - 1
  const other = l.groups[l.groups.indexOf(g) + by]
  if (!other) return i
  if (by > 0) return other.start + Math.min(column, other.count - 1)
  const last = (Math.ceil(other.count / l.columns) - 1) * l.columns
  return other.start + Math.min(last + column, other.count - 1)
}
