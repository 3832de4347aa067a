import { describe, expect, it } from 'vitest'
import { grouped } from './intl'
import { compareText } from './order'

describe('the order of texts', () => {
  it.each([
    [
      ['web-10', 'Web-2', 'web-1', 'db'],
      ['db', 'web-1', 'Web-2', 'web-10'],
    ],
    [
      ['b', 'A', 'a1', 'a'],
      ['A', 'a', 'a1', 'b'],
    ],
    [
      ['v1.10.0', 'v1.9.3', 'v1.9'],
      ['v1.9', 'v1.9.3', 'v1.10.0'],
    ],
    [
      ['a-2-b', 'a-002-a', 'a-1'],
      ['a-1', 'a-002-a', 'a-2-b'],
    ],
    [
      ['', 'a', ' '],
      ['', ' ', 'a'],
    ],
    [
      ['应用 10', 'host', '应用 9'],
      ['host', '应用 9', '应用 10'],
    ],
  ])('of %j is %j', (given, wanted) => {
    expect([...given].sort(compareText)).toEqual(wanted)
  })
  it('is the one of the browser for plain words', () => {
    const browsers = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })
    const names = Array.from({ length: 60 }, (_, i) => `${['web', 'DB', 'cache'][i % 3]}${i % 2 ? '-' : ' '}${(i * 37) % 120}`)
    for (const a of names) for (const b of names) expect(Math.sign(compareText(a, b)), `${a} ${b}`).toBe(Math.sign(browsers.compare(a, b)))
  })
})

describe('a number', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1234567, '1,234,567'],
    [-12345, '-12,345'],
    [1234.56789, '1,234.56789'],
    [0.1234, '0.1234'],
  ])('%d is %s', (n, text) => expect(grouped(n)).toBe(text))
})
