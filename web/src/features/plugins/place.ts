import type { Schemas } from '@/api/client'

/** Where a plugin runs, as its manifest tells it. */
export function placeOf(m: Schemas['WireManifest']): 'builtin' | 'binary' | 'image' | 'elsewhere' {
  if (m.run?.builtin) return 'builtin'
  if (m.run?.binary) return 'binary'
  return m.run?.image ? 'image' : 'elsewhere'
}
