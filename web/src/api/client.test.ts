import { afterEach, describe, expect, it, vi } from 'vitest'
import { ask, client, hooks } from './client'

const answer = (status: number, body?: unknown) => new Response(body === undefined ? null : JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })
const sent: Request[] = []
/** Answers requests one after the other. */
function answers(...all: Response[]) {
  sent.length = 0
  vi.stubGlobal('fetch', async (request: Request) => {
    sent.push(request)
    return all.shift()!
  })
}
const cancel = () => ask(client.POST('/api/v1/runs/{run}/cancel', { params: { path: { run: '1' } }, body: { reason: 'enough' } }))
const { confirm, signedOut } = hooks
afterEach(() => {
  vi.unstubAllGlobals()
  Object.assign(hooks, { confirm, signedOut })
})

describe('a request that wants the password once more', () => {
  it('goes out again as one of its own, with the same body', async () => {
    hooks.confirm = async () => true
    answers(answer(401, { code: 'identity.reauth', title: 'again' }), answer(204))
    await cancel()
    expect(sent).toHaveLength(2)
    expect(await sent[1]!.text()).toBe('{"reason":"enough"}')
    const keys = sent.map((r) => r.headers.get('Idempotency-Key'))
    expect(keys[0]).toBeTruthy()
    expect(keys[1]).toBeTruthy()
    expect(keys[1]).not.toBe(keys[0])
  })
  it('is refused where nobody gives it, and the session goes on', async () => {
    hooks.confirm = async () => false
    hooks.signedOut = vi.fn()
    answers(answer(401, { code: 'identity.reauth', title: 'again' }))
    await expect(cancel()).rejects.toMatchObject({ code: 'identity.reauth' })
    expect(hooks.signedOut).not.toHaveBeenCalled()
  })
})
