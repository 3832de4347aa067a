import { describe, expect, it } from 'vitest'
import { fits, readAsked } from './asked'

describe('what is asked of the palette', () => {
  it.each([
    ['run script on web-1', { act: 'run script', on: 'web-1' }],
    ['在 web-1 上执行脚本', { act: '执行脚本', on: 'web-1' }],
    ['Restart On a b', { act: 'Restart', on: 'a b' }],
    ['audit of ana', { audit: 'ana' }],
    ['open audit log of ana b', { audit: 'ana b' }],
    ['ana 的审计', { audit: 'ana' }],
    ['web-1', {}],
    ['on', {}],
    ['london', {}],
    ['', {}],
  ])('%s', (text, asked) => {
    expect(readAsked(text)).toEqual({ words: text, act: undefined, on: undefined, audit: undefined, ...asked })
  })
  it('finds words in any order, in either case', () => {
    expect(fits('Run a script host/script/run', 'SCRIPT run')).toBe(true)
    expect(fits('Run a script', 'run file')).toBe(false)
    expect(fits('执行脚本', '脚本')).toBe(true)
  })
})
