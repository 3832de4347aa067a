import { describe, expect, it } from 'vitest'
import { Problem } from '@/api/problem'
import { conflictOf, linesOf, rebased } from './conflict'

const attributes = ['id', 'name', 'zone', 'port', 'key'].map((name) => ({
  name,
  type: name === 'port' ? 'int' : 'string',
  secret: name === 'key',
}))
const stale = {
  version: '4',
  stored: { id: 'a', name: 'theirs', zone: 'b', port: 22, '@version': '4' },
  yours: { id: 'a', name: 'mine', port: 23 },
}

describe('a conflict', () => {
  it('is read from the refusal of a version that is old, and from no other', () => {
    expect(conflictOf(new Problem({ status: 412, code: 'object.stale', title: 'x', data: stale }))).toEqual(stale)
    expect(conflictOf(new Problem({ status: 412, code: 'object.stale', title: 'x' }))).toBeUndefined()
    expect(conflictOf(new Problem({ status: 423, code: 'control.locked', title: 'x', data: stale }))).toBeUndefined()
  })
  it('shows what either changed, and where both did', () => {
    const lines = linesOf(stale, { id: 'a', name: 'was', zone: 'a', port: 22, key: '***' }, attributes)
    expect(lines.map((l) => [l.name, l.before, l.theirs, l.mine, l.clash])).toEqual([
      ['name', 'was', 'theirs', 'mine', true],
      ['zone', 'a', 'b', 'b', false],
      ['port', '22', '22', '23', false],
    ])
  })
  it('goes on with mine over the version that is there by now', () => {
    expect(rebased(stale, { id: 'a', name: 'mine' })).toEqual({ id: 'a', name: 'mine', '@version': '4' })
  })
})
