import { describe, expect, it } from 'vitest'
import { Exact } from '@/api/exact'
import { asText, fromText } from './values'

describe('values', () => {
  it('are read from texts by their type', () => {
    expect(fromText('int', ' 12 ')).toBe(12)
    expect(String(fromText('number', '1.5e3'))).toBe('1.5e3')
    expect(fromText('bool', 'false')).toBe(false)
    expect(fromText('list', '[1, "a"]')).toEqual([1, 'a'])
    expect(fromText('object', '{"a": 1}')).toEqual({ a: 1 })
    expect(fromText('enum', '')).toBeNull()
    expect(fromText('string', '')).toBe('')
  })
  it('stay texts where they cannot be read, so that nothing typed is lost', () => {
    expect(fromText('int', 'twelve')).toBe('twelve')
    expect(fromText('list', '[1,')).toBe('[1,')
  })
  it('keep every digit of a number', () => {
    for (const text of ['9007199254740993', '1.10']) {
      expect(fromText('number', text)).toEqual(new Exact(text))
      expect(asText('number', fromText('number', text))).toBe(text)
    }
    expect(asText('object', fromText('object', '{"a":1.10}'))).toContain('1.10')
  })
  it('come back as they were', () => {
    for (const [type, value] of [
      ['int', 7],
      ['bool', true],
      ['list', [1, 2]],
      ['object', { a: ['b'] }],
      ['string', 'x'],
    ] as const)
      expect(fromText(type, asText(type, value))).toEqual(value)
    expect(asText('int', null)).toBe('')
  })
})
