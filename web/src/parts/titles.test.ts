import { describe, expect, it } from 'vitest'
import { calledOn } from './titles'

describe('the title of a call', () => {
  it.each([
    ['Run a script', {}],
    ['Run a script on web-1', { object: 'web-1' }],
    ['Run a script on 12 hosts', { n: 12 }],
    ['Run a script on 12', { object: '12' }],
    ['Disk usage of the week', undefined],
    ['Run a scripture on web-1', undefined],
    ['', undefined],
  ])('%s', (title, on) => expect(calledOn(title, 'Run a script')).toEqual(on))
})
