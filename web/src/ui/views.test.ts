import { mount } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'
import { i18n } from '@/i18n'
import { duration } from './duration'
import { hit, layout, place, vertical, type Cell } from './MatrixGrid/layout'
import MatrixGrid from './MatrixGrid/MatrixGrid.vue'
import { extent, ticks } from './Timeline/scale'

describe('a duration', () => {
  it('has two units at most', () => {
    expect([
      duration(420, 'en'),
      duration(3_450, 'en'),
      duration(65_000, 'en'),
      duration(3_600_000, 'en'),
      duration(90_061_000, 'en'),
    ]).toEqual(['420ms', '3.4s', '1m 5s', '1h', '1d 1h'])
  })
})

describe('a scale of time', () => {
  it('spans all bars, those that go on as well', () => {
    const bars = [
      { id: 'a', label: 'a', tone: 'ok' as const, state: 's', start: 1000, end: 5000 },
      { id: 'b', label: 'b', tone: 'run' as const, state: 's', start: 2000 },
    ]
    expect(extent(bars, 11_000)).toEqual({ from: 1000, to: 11_200 })
    expect(extent([], 100_000).to).toBe(100_000)
  })
  it('has round ticks, no more than asked for', () => {
    const { step, at } = ticks({ from: 0, to: 600_000 }, 6)
    expect([step, at.length <= 7, at.every((t) => t % 60_000 === 0)]).toEqual([120_000, true, true])
  })
})

const cells: Cell[] = [...Array(25).keys()].map((i) => ({
  id: `c${i}`,
  label: `host ${i}`,
  state: i % 5 ? 'ok' : 'bad',
  batch: i < 12 ? 'one' : 'two',
}))

describe('a matrix', () => {
  it('finds each cell where it was put', () => {
    const l = layout(cells, 187, 16)
    expect(l.columns).toBe(10)
    for (let i = 0; i < cells.length; i++) {
      const p = place(l, i)
      expect(hit(l, p.x + 8, p.y + 8)).toBe(i)
    }
    expect([hit(l, 50, 24 + 19 + 5), hit(l, -3, 30), hit(l, 5, 5), hit(l, 5, 9999)]).toEqual([-1, -1, -1, -1])
  })
  it('is walked across batches', () => {
    const l = layout(cells, 187, 16)
    expect([vertical(l, 1, 1), vertical(l, 5, 1), vertical(l, 11, 1), vertical(l, 13, -1), vertical(l, 24, 1), vertical(l, 0, -1)]).toEqual(
      [11, 11, 13, 11, 24, 0],
    )
  })
  it('tells its cells and chooses them by keyboard', async () => {
    const view = mount(MatrixGrid, {
      props: {
        label: 'Hosts',
        cells,
        states: [
          { key: 'ok', label: 'Done', tone: 'ok' },
          { key: 'bad', label: 'Failed', tone: 'bad' },
        ],
      },
      global: { plugins: [i18n] },
    })
    const list = view.get('[role=listbox]')
    expect(view.get('[role=option]').text()).toBe('host 0, Failed, one')
    await list.trigger('keydown', { key: 'ArrowRight' })
    await list.trigger('keydown', { key: 'Enter' })
    expect(view.emitted('select')).toEqual([['c1']])
    expect(view.text()).toContain('20')
  })
})
