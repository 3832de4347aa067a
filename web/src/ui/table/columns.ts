import { compareText } from '../order'

export interface Column<T = unknown> {
  key: string
  label: string
  /** Fixed, in pixels; without it the column shares what is left. */
  width?: number
  /** Its part of what is left, and never less than `min` pixels. */
  flex?: number
  min?: number
  align?: 'start' | 'end' | 'center'
  sortable?: boolean
  mono?: boolean
  /** Names the row: holds its link, and is the title of its card. */
  primary?: boolean
  /** Left out where there is little room: of the cards of a narrow screen, and of a table that would be cut. */
  wideOnly?: boolean
  value?: (row: T) => unknown
}

export interface Sort {
  key: string
  desc?: boolean
}

export const checkWidth = 44

export interface Frame {
  template: string
  /** The least width at which nothing is cut, in pixels. */
  min: number
}

/** The tracks that all rows of a table share. */
export function frame<T>(columns: Column<T>[], selectable: boolean, actions: number): Frame {
  const least = (c: Column<T>) => c.width ?? c.min ?? 120
  const tracks = columns.map((c) => (c.width ? `${c.width}px` : `minmax(${least(c)}px, ${c.flex ?? 1}fr)`))
  if (selectable) tracks.unshift(`${checkWidth}px`)
  if (actions) tracks.push(`${actions}px`)
  return { template: tracks.join(' '), min: columns.reduce((sum, c) => sum + least(c), 0) + (selectable ? checkWidth : 0) + actions }
}

/** The columns for which there is room: of those that may be left out, the last go first. Before the width is known all are. */
export function fitting<T>(columns: Column<T>[], width: number, selectable: boolean, actions: number): Column<T>[] {
  let some = columns
  while (width && frame(some, selectable, actions).min > width) {
    const spare = some.findLast((c) => c.wideOnly)
    if (!spare) break
    some = some.filter((c) => c !== spare)
  }
  return some
}

/** How the cells of a column look, worked out once for all rows, and whether the page draws them itself. */
export type CellLooks = Record<string, { cell: string; own: boolean }>

const aligns = { start: 'justify-start text-left', end: 'justify-end text-right', center: 'justify-center text-center' }

export function looksOf<T>(
  columns: Column<T>[],
  o: { card: boolean; selectable: boolean; primary?: string; own: (key: string) => boolean },
): CellLooks {
  const place = (c: Column<T>) => {
    if (!o.card) return `px-3 ${aligns[c.align ?? 'start']}`
    return c.key === o.primary ? `order-first pb-1 font-medium${o.selectable ? ' pl-7' : ''}` : 'gap-3 py-0.5'
  }
  const cell = (c: Column<T>) =>
    [
      'flex min-w-0 items-center',
      place(c),
      c.mono ? 'font-mono text-xs' : 'text-sm',
      c.align === 'end' ? 'nums' : '',
      o.card && c.wideOnly ? 'hidden' : '',
    ]
      .filter(Boolean)
      .join(' ')
  return Object.fromEntries(columns.map((c) => [c.key, { cell: cell(c), own: o.own(c.key) }]))
}

export function valueOf<T>(column: Column<T>, row: T): unknown {
  return column.value ? column.value(row) : (row as Record<string, unknown>)[column.key]
}

export function textOf<T>(column: Column<T>, row: T): string {
  const v = valueOf(column, row)
  return v === undefined || v === null || v === '' ? '–' : String(v)
}

/** The next order after a press on a head: upwards, downwards, as it came. */
export function turned(sort: Sort | undefined, key: string): Sort | undefined {
  if (sort?.key !== key) return { key }
  return sort.desc ? undefined : { key, desc: true }
}

function compare(a: unknown, b: unknown): number {
  const [none, nothing] = [a === undefined || a === null, b === undefined || b === null]
  if (none || nothing) return none && nothing ? 0 : none ? 1 : -1
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime()
  return compareText(String(a), String(b))
}

/** The rows in order; what has no value stands last either way. */
export function sorted<T>(rows: T[], columns: Column<T>[], sort: Sort | undefined): T[] {
  const column = sort && columns.find((c) => c.key === sort.key)
  if (!column) return rows
  const sign = sort.desc ? -1 : 1
  return rows
    .map((row) => ({ row, value: valueOf(column, row) }))
    .sort((a, b) => {
      const empty = (v: unknown) => v === undefined || v === null
      const order = compare(a.value, b.value)
      return empty(a.value) || empty(b.value) ? order : sign * order
    })
    .map((x) => x.row)
}
