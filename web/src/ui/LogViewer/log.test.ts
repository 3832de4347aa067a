import { mount } from '@vue/test-utils'
import { nextTick } from 'vue'
import { describe, expect, it } from 'vitest'
import { i18n } from '@/i18n'
import { bare, pieces } from './ansi'
import { readRange } from './lines'
import LogLine from './LogLine.vue'
import LogViewer from './LogViewer.vue'
import { matcher, search, type Matcher } from './search'
import { LogStore } from './store'

const looks = (line: string) => pieces(line).pieces.map((p) => [p.text, p.style])

describe('ANSI colours', () => {
  it('are read in all three depths', () => {
    expect(looks('a\x1b[1;31mb\x1b[0mc')).toEqual([
      ['a', {}],
      ['b', { bold: true, fg: 1 }],
      ['c', {}],
    ])
    expect(looks('\x1b[38;5;208mx\x1b[48;2;1;2;3my\x1b[mz')).toEqual([
      ['x', { fg: 3 }],
      ['y', { fg: 3, bg: 0 }],
      ['z', {}],
    ])
    expect(looks('\x1b[92;44;38;5;244mq')).toEqual([['q', { fg: 7, bg: 4 }]])
    expect(looks('\x1b[38;5;999mx\x1b[38;2;1mz')).toEqual([
      ['x', {}],
      ['z', {}],
    ])
  })
  it('are all that is interpreted', () => {
    expect(bare('\x1b[2J\x1b[10;5Ha\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c\x1b(B\x08d\x1b')).toBe('abcd')
    expect(looks('\x1b[?25lhi\x1b[K')).toEqual([['hi', {}]])
  })
  it('become text, never markup', () => {
    const view = mount(LogLine, {
      props: { entry: '<img src=x onerror=alert(1)>\x1b[31m<b>', start: {}, n: 1, wrap: false, chosen: false, current: false },
      global: { plugins: [i18n] },
    })
    expect(view.find('img').exists()).toBe(false)
    expect(view.text()).toContain('<img src=x onerror=alert(1)><b>')
  })
})

describe('the store of lines', () => {
  it('joins what chunks have cut', () => {
    const s = new LogStore()
    for (const c of ['on', 'e\r\ntw', 'o\n\nthr', 'ee']) s.append(c)
    expect([...s.lines()]).toEqual(['one', 'two', '', 'three'])
    s.append('\n')
    s.append('four\n')
    expect([...s.lines()]).toEqual(['one', 'two', '', 'three', 'four'])
  })
  it('keeps colours over lines, gaps and times', () => {
    const s = new LogStore()
    s.append('\x1b[31mred\nstill\x1b[0m\n', 1000)
    s.gap(42)
    s.append('plain\n', 5000)
    expect([s.styleAt(0), s.styleAt(1), s.styleAt(3)]).toEqual([{}, { fg: 1 }, {}])
    expect(s.entry(2)).toEqual({ gap: 42 })
    expect([s.timeAt(0), s.timeAt(1), s.timeAt(3)]).toEqual([1000, 1000, 5000])
    s.clear()
    expect([s.length, s.timeAt(0)]).toEqual([0, undefined])
  })
  it('takes a million lines (a figure to look at, no bound)', () => {
    const s = new LogStore()
    const chunk = Array.from(
      { length: 1000 },
      (_, i) => `2026-03-01T10:00:00Z host-${i} \x1b[32mok\x1b[0m step ${i} done in ${i * 3} ms\n`,
    ).join('')
    const before = performance.now()
    for (let i = 0; i < 1000; i++) s.append(chunk)
    console.info(`a million lines in ${Math.round(performance.now() - before)} ms`)
    expect(s.length).toBe(1_000_000)
  })
})

describe('search', () => {
  it('marks what it finds, and refuses what could take forever', () => {
    const m = matcher('er.or', { regex: true }) as Matcher
    expect(m('an ERROR and an error')).toEqual([
      [3, 8],
      [16, 21],
    ])
    expect((matcher('a.b', {}) as Matcher)('a.b axb')).toEqual([[0, 3]])
    expect([
      matcher('(a+)+$', { regex: true }),
      matcher('(a|b*)*', { regex: true }),
      matcher('(', { regex: true }),
      matcher('x'.repeat(300), {}),
      matcher('', {}),
    ]).toEqual(['heavy', 'heavy', 'broken', 'long', undefined])
    expect(typeof matcher('(foo|bar) \\d+', { regex: true })).toBe('function')
  })
  it('goes through all lines', async () => {
    const s = new LogStore()
    s.append(Array.from({ length: 3000 }, (_, i) => `line ${i}`).join('\n'))
    let hits: number[] = []
    await search(
      s,
      matcher('line 29\\d\\d', { regex: true }) as Matcher,
      0,
      (h) => (hits = h),
      () => false,
    )
    expect(hits.length).toBe(100)
  })
})

describe('the viewer', () => {
  it('draws what is in view and chooses stretches of lines', async () => {
    expect([readRange('7'), readRange('L9-L4'), readRange('x')]).toEqual([{ from: 6, to: 6 }, { from: 3, to: 8 }, undefined])
    const store = new LogStore()
    store.append('first\n')
    const view = mount(LogViewer, { props: { store, label: 'Output', live: true }, global: { plugins: [i18n] } })
    store.append(Array.from({ length: 100_000 }, (_, i) => `l${i}`).join('\n'))
    await nextTick()
    await nextTick()
    const rows = view.findAll('a[data-n]')
    expect(rows.length).toBeLessThan(40)
    expect(rows.at(-1)!.text()).toBe('100001')
    await rows[2]!.trigger('click')
    await rows[5]!.trigger('click', { shiftKey: true })
    const from = Number(rows[2]!.text())
    expect(view.emitted('update:lines')!.at(-1)).toEqual([`${from}-${from + 3}`])
  })
})
