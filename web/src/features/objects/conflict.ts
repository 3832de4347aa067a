import type { Problem } from '@/api/problem'
import { versionKey, type Attribute, type Row } from '@/parts/objects'

/** What the server says where an object was changed since it was read. */
export interface Conflict {
  version: string
  stored: Row
  yours: Row
}

export function conflictOf(problem: Problem | undefined): Conflict | undefined {
  const data = problem?.code === 'object.stale' ? (problem.data as Partial<Conflict> | undefined) : undefined
  return data?.stored && data.yours ? { version: String(data.version ?? ''), stored: data.stored, yours: data.yours } : undefined
}

export interface Line {
  name: string
  attribute: Attribute
  before: string
  theirs: string
  mine: string
  /** Both changed it, to different values. */
  clash: boolean
}

const text = (v: unknown) => (v === undefined || v === null ? '' : typeof v === 'string' ? v : JSON.stringify(v))

/** The attributes in question: those that either changed. */
export function linesOf(c: Conflict, before: Row, attributes: Attribute[]): Line[] {
  return attributes
    .filter((a) => a.name !== 'id' && !a.secret)
    .map((a): Line => {
      const [was, theirs] = [text(before[a.name]), text(c.stored[a.name])]
      const mine = a.name in c.yours ? text(c.yours[a.name]) : theirs
      return { name: a.name, attribute: a, before: was, theirs, mine, clash: theirs !== was && mine !== theirs }
    })
    .filter((l) => l.theirs !== l.before || l.mine !== l.theirs)
}

/** What is to be saved over what is stored by now: mine, where I changed something. */
export const rebased = (c: Conflict, mine: Row): Row => ({ ...mine, [versionKey]: c.stored[versionKey] ?? c.version })
