import { afterEach, describe, expect, it, vi } from 'vitest'
import { askAhead, endAhead, takeAhead } from './ahead'

const request = (path: string, method = 'GET') => new Request(new URL(path, location.href), { method })

describe('what is asked ahead', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('is taken once, by who asks for the very same', async () => {
    vi.stubGlobal('fetch', async (url: string) => new Response(JSON.stringify({ url }), { status: 203 }))
    askAhead(['api/v1/a?x=1', 'api/v1/b'])
    expect([takeAhead(request('/api/v1/a')), takeAhead(request('/api/v1/b', 'DELETE'))]).toEqual([undefined, undefined])
    const answer = (await takeAhead(request('/api/v1/a?x=1')))!
    expect([answer.status, await answer.json()]).toEqual([203, { url: expect.stringContaining('/api/v1/a?x=1') }])
    expect(takeAhead(request('/api/v1/a?x=1'))).toBeUndefined()
  })
  it('fails for who takes it, and for nobody else', async () => {
    vi.stubGlobal('fetch', async () => Promise.reject(new TypeError('no network')))
    askAhead(['api/v1/c'])
    await expect(takeAhead(request('/api/v1/c'))).rejects.toThrow('no network')
  })
  it('is forgotten once the page stands', () => {
    vi.stubGlobal('fetch', async () => new Response('{}'))
    askAhead(['api/v1/d'])
    endAhead()
    expect(takeAhead(request('/api/v1/d'))).toBeUndefined()
  })
})
