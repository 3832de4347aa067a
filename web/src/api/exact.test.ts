import { describe, expect, it } from 'vitest'
import { Exact, exactNumber, readExact, writeExact } from './exact'

describe('JSON that is sent back', () => {
  it('keeps every digit of its numbers', () => {
    for (const text of [
      '{"a":9007199254740993}',
      '{"v":1.10}',
      '[1.0,-0,1e400,12345678901234567890.123,3]',
      '"1.10"',
      '{"s":"say \\"1.10\\" and 9007199254740993"}',
      '{"n":null,"b":[true,false]}',
    ])
      expect(writeExact(readExact(text))).toBe(text)
  })
  it('has plain numbers where a double keeps them', () => {
    expect(readExact('{"n":22,"f":1.5}')).toEqual({ n: 22, f: 1.5 })
    expect(readExact('{"n":1.10}')).toEqual({ n: new Exact('1.10') })
  })
  it('is refused where it is none', () => {
    for (const text of ['1.', '{"a":01}', '{a:1}', '1 2']) expect(() => readExact(text), text).toThrow()
  })
  it('is written as it was typed', () => {
    expect(exactNumber('1.10')).toEqual(new Exact('1.10'))
    expect(exactNumber('22')).toBe(22)
    expect(exactNumber('twelve')).toBeUndefined()
    expect(`${exactNumber('9007199254740993')}`).toBe('9007199254740993')
  })
})
