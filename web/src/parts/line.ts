import type { Schemas } from '@/api/client'

export type Blocker = Schemas['ControlBlocker']

/** Those for whom a run waits, one of each run and object of it, with how many more there are. */
export function told(all: Blocker[], most = 5): { shown: Blocker[]; more: number } {
  const seen = new Set<string>()
  const each = all.filter((b) => {
    const key = `${b.run ?? ''} ${b.object}`
    return !seen.has(key) && seen.add(key)
  })
  return { shown: each.slice(0, most), more: Math.max(0, each.length - most) }
}

/** What becomes of a start as the door sees it: it goes, it does otherwise than start now, or it is refused. */
export function outlook(p?: { would?: string }): 'starts' | 'waits' | 'merges' | 'refused' {
  if (!p || p.would === 'ADMIT') return 'starts'
  if (p.would === 'WAIT' || p.would === 'NEEDS_APPROVAL') return 'waits'
  return p.would === 'MERGED' ? 'merges' : 'refused'
}
