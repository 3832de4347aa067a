import { mount } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'
import { i18n } from '@/i18n'
import { compare, lines, wordsOf } from './diff'
import DiffView from './DiffView.vue'
import { changes } from './fields'

const told = (a: string, b: string) => compare([...a], [...b]).map((r) => ({ same: '=', gone: '-', new: '+' })[r.kind] + r.items.join(''))

describe('a comparison', () => {
  it('is the shortest way', () => {
    expect(told('abc', 'abc')).toEqual(['=abc'])
    expect(told('abc', 'axc')).toEqual(['=a', '-b', '+x', '=c'])
    expect(told('', 'ab')).toEqual(['+ab'])
    const edits = compare([...'abcabba'], [...'cbabac'])
      .filter((r) => r.kind !== 'same')
      .reduce((n, r) => n + r.items.length, 0)
    expect(edits).toBe(5)
  })
  it('leads from one to the other, whatever they are', () => {
    let seed = 9
    const next = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff
    for (let i = 0; i < 300; i++) {
      const make = () => Array.from({ length: Math.floor(next() * 14) }, () => 'abc'[Math.floor(next() * 3)]!)
      const [a, b] = [make(), make()]
      const runs = compare(a, b)
      expect(runs.filter((r) => r.kind !== 'new').flatMap((r) => r.items)).toEqual(a)
      expect(runs.filter((r) => r.kind !== 'gone').flatMap((r) => r.items)).toEqual(b)
    }
  })
})

describe('lines', () => {
  it('fold what is equal and mark the words that changed', () => {
    const before = [...Array.from({ length: 20 }, (_, i) => `line ${i}`), 'port = 80', 'end'].join('\n')
    const list = lines(before, before.replace('port = 80', 'port = 8080'), 2)
    expect(list.map((l) => l.kind)).toEqual(['fold', 'same', 'same', 'gone', 'new', 'same'])
    expect(list[0]!.folded).toBe(18)
    expect(list[3]).toMatchObject({
      old: 21,
      parts: [
        { text: 'port = ', changed: false },
        { text: '80', changed: true },
      ],
    })
    expect(list[4]!.parts[1]).toEqual({ text: '8080', changed: true })
    expect(wordsOf('部署 v2!')).toEqual(['部', '署', ' ', 'v2', '!'])
  })
})

describe('fields', () => {
  it('differ at their paths', () => {
    expect(changes({ a: 1, b: { c: [1, 2] }, d: 1 }, { a: 1, b: { c: [1, 3, 4] }, e: { f: 1 } })).toEqual([
      { path: 'b.c[1]', kind: 'changed', before: 2, after: 3 },
      { path: 'b.c[2]', kind: 'added', after: 4 },
      { path: 'd', kind: 'removed', before: 1 },
      { path: 'e', kind: 'added', after: { f: 1 } },
    ])
  })
  it('hide secrets', () => {
    const view = mount(DiffView, {
      props: { label: 'd', before: { password: 'old' }, after: { password: 'fresh' } },
      global: { plugins: [i18n] },
    })
    expect(view.text()).toContain('***')
    expect(view.text()).not.toContain('fresh')
  })
})
