import { describe, expect, it } from 'vitest'
import { hours, rate } from './day'

describe('the last day', () => {
  const now = new Date('2026-01-02T10:20:00Z').getTime()
  it('has every hour, each with its runs by result', () => {
    const all = hours(
      [
        { hour: '2026-01-02T10:00:00Z', state: 'failed', runs: 1 },
        { hour: '2026-01-02T10:00:00Z', state: 'completed', runs: 3 },
        { hour: '2025-12-31T00:00:00Z', state: 'completed', runs: 9 },
      ],
      now,
    )
    expect(all).toHaveLength(24)
    expect(all[23]).toMatchObject({
      total: 4,
      parts: [
        { state: 'completed', start: 0, end: 3 },
        { state: 'failed', start: 3, end: 4 },
      ],
    })
    expect(all.slice(0, 23).every((c) => c.total === 0)).toBe(true)
  })
  it('succeeded by what ended by itself', () => {
    expect([rate({ completed: 199, failed: 1, cancelled: 50 }), rate({ failed: 2 }), rate({ active: 3 })]).toEqual([99, 0, undefined])
  })
})
