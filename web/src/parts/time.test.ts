import { describe, expect, it } from 'vitest'
import { brief, cutIdle, lengthOf, median } from './time'

describe('time', () => {
  it('is told in its two largest units', () => {
    expect([12, 8200, 59_999, 500_000, 3_700_000, 200_000_000].map(brief)).toEqual([
      '12 ms',
      '8.2 s',
      '60 s',
      '8 min 20 s',
      '1 h 1 min',
      '2 d 7 h',
    ])
  })
  it('leaves out what was only waited', () => {
    const spans = [{ from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:08:00Z' }, { from: '2026-01-01T01:00:00Z' }]
    expect(lengthOf(spans, new Date('2026-01-01T01:00:30Z').getTime())).toBe(510_000)
    expect(lengthOf(null, 0)).toBe(0)
  })
  it('shows work after a night of waiting as wide as it was', () => {
    const hour = 3_600_000
    const { place, cuts } = cutIdle(
      [
        [0, 10_000],
        [8 * hour, 8 * hour + 10_000],
      ],
      0,
      8 * hour + 10_000,
    )
    expect(place(10_000) - place(0)).toBeGreaterThan(0.45)
    expect(place(8 * hour + 10_000)).toBe(1)
    expect(place(8 * hour) - place(10_000)).toBeLessThan(0.1)
    expect(cuts).toHaveLength(1)
  })
  it('is drawn as it was where nothing was waited', () => {
    const { place, cuts } = cutIdle(
      [
        [0, 50],
        [50, 100],
      ],
      0,
      100,
    )
    expect([place(25), place(75)]).toEqual([0.25, 0.75])
    expect(cuts).toEqual([])
  })
  it('has a middle', () => {
    expect([median([3, 1, 2]), median([1, 2, 3, 4]), median([])]).toEqual([2, 2.5, undefined])
  })
})
