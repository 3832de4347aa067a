import { describe, expect, it } from 'vitest'
import { merged } from './timeline'
import { toneOf } from '@/parts/tones'

const at = (...minutes: number[]) => minutes.map((m) => ({ at: new Date(Date.UTC(2026, 0, 1, 0, m)).toISOString(), m }))

describe('one time line of several sources', () => {
  it('is in the order of time', () => {
    expect(
      merged([
        { items: at(9, 4, 1), more: false },
        { items: at(8, 5), more: false },
      ]).map((e) => e.m),
    ).toEqual([9, 8, 5, 4, 1])
  })
  it('ends where a source that has more ends', () => {
    expect(
      merged([
        { items: at(9, 4), more: true },
        { items: at(8, 5, 3, 2), more: false },
      ]).map((e) => e.m),
    ).toEqual([9, 8, 5, 4])
  })
  it('may be empty', () => {
    expect(
      merged([
        { items: [], more: true },
        { items: at(2), more: false },
      ]).map((e) => e.m),
    ).toEqual([2])
    expect(merged([])).toEqual([])
  })
})

describe('the colour of a state', () => {
  it('is that of its word, whatever its place', () => {
    expect([toneOf('up'), toneOf('DOWN', 3), toneOf('unknown', 1), toneOf('')]).toEqual(['ok', 'bad', 'idle', 'idle'])
  })
  it('tells unknown words from their neighbours', () => {
    expect(toneOf('alpha', 0)).not.toBe(toneOf('beta', 1))
  })
})
