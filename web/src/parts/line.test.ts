import { describe, expect, it } from 'vitest'
import { outlook, told, type Blocker } from './line'
import { shownRunState, stateOfRun } from './states'

const blocker = (run: string | undefined, object: string): Blocker => ({ run, object, mode: 'exclusive', since: '2026-01-02T03:04:05Z' })

describe('for whom a run waits', () => {
  it('names each run and object once', () => {
    expect(told([blocker('1', 'a:b/c'), blocker('1', 'a:b/c'), blocker('1', 'a:b/d'), blocker(undefined, 'a:b/c')])).toEqual({
      shown: [blocker('1', 'a:b/c'), blocker('1', 'a:b/d'), blocker(undefined, 'a:b/c')],
      more: 0,
    })
  })
  it('says how many more there are', () => {
    const all = Array.from({ length: 7 }, (_, i) => blocker(String(i), 'a:b/c'))
    expect(told(all, 5)).toEqual({ shown: all.slice(0, 5), more: 2 })
  })
})

describe('what becomes of a start', () => {
  it.each([
    [undefined, 'starts'],
    [{ would: 'ADMIT' }, 'starts'],
    [{ would: 'WAIT' }, 'waits'],
    [{ would: 'NEEDS_APPROVAL' }, 'waits'],
    [{ would: 'MERGED' }, 'merges'],
    [{ would: 'REPLACED' }, 'refused'],
    [{ would: 'REJECTED' }, 'refused'],
  ])('%o', (preview, want) => expect(outlook(preview)).toBe(want))
})

describe('the state of a run', () => {
  it.each([
    [{ state: 'waiting' }, 'queued'],
    [{ state: 'active', tasks: 2 }, 'waiting'],
    [{ state: 'active' }, 'active'],
    [{ state: 'failed', tasks: 0 }, 'failed'],
  ])('%o', (run, want) => expect(stateOfRun(run)).toBe(want))
  it('is told apart from waiting for a person in filters too', () => expect(shownRunState('waiting')).toBe('queued'))
})
