import { describe, expect, it } from 'vitest'
import { busy, noise, ordered } from './steps'
import { faulty } from './useFaults'
import type { Step } from './useRun'

const step = (key: string, more: Partial<Step> = {}): Step => ({
  key,
  element: key,
  type: 'service',
  state: 'completed',
  entered: '2026-01-01T00:00:00Z',
  ...more,
})

describe('the steps of a run', () => {
  it('leave out what only routes, unless something is wrong with it', () => {
    const all = [
      step('s', { type: 'start' }),
      step('g', { type: 'gateway' }),
      step('a'),
      step('stuck', { type: 'gateway', state: 'incident' }),
      step('e', { type: 'end' }),
      step('bad', { type: 'end', state: 'failed' }),
    ]
    expect(all.filter((s) => !noise(s)).map((s) => s.key)).toEqual(['a', 'stuck', 'bad'])
  })
  it('stand under what lies around them', () => {
    expect(
      ordered([step('sub', { type: 'subprocess' }), step('b'), step('a', { parent: 'sub' }), step('lost', { parent: 'gone' })]).map(
        (o) => `${o.depth} ${o.step.key}`,
      ),
    ).toEqual(['0 sub', '1 a', '0 b', '0 lost'])
  })
  it('are busy only while nobody is waited for', () => {
    const s = step('a', { left: '2026-01-01T00:08:20Z', stopped: [{ from: '2026-01-01T00:00:04Z', to: '2026-01-01T00:08:16Z' }] })
    expect(busy(s, 0).reduce((n, [a, b]) => n + b - a, 0)).toBe(8000)
  })
  it('tell a failure where it happened, once', () => {
    const all = [
      step('sub', { type: 'subprocess', state: 'failed', caught: true }),
      step('check', { parent: 'sub', state: 'timed_out', caught: true }),
      step('bad', { type: 'end', state: 'failed' }),
    ]
    expect(faulty(all).map((s) => s.key)).toEqual(['check'])
    expect(faulty(all.slice(2)).map((s) => s.key)).toEqual(['bad'])
    expect(faulty([step('ok')])).toEqual([])
  })
})
