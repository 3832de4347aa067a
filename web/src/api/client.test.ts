import { afterEach, describe, expect, it, vi } from 'vitest'
import { ask, client, hooks } from './client'
import { noteTime, serverNow } from './clock'

const refusal = (code: string) =>
  new Response(JSON.stringify({ status: 401, code, title: code }), { status: 401, headers: { 'Content-Type': 'application/problem+json' } })
const done = () => new Response('{}', { status: 200, headers: { 'Content-Type': 'application/json' } })
const start = () => ask(client.POST('/api/v1/runs', { body: { project: 'default', process: 'p', objects: [], variables: { a: 1 } } }))

afterEach(() => {
  vi.unstubAllGlobals()
  hooks.confirm = hooks.signIn = async () => false
})

/** Answers one request after the other; keeps what was sent. */
function answers(...all: Response[]) {
  const sent: { key: string | null; body: string }[] = []
  vi.stubGlobal('fetch', async (r: Request) => {
    sent.push({ key: r.headers.get('Idempotency-Key'), body: await r.text() })
    return all[sent.length - 1]
  })
  return sent
}

describe('a request that needs a proof', () => {
  for (const [code, hook] of [
    ['identity.reauth', 'confirm'],
    ['identity.unauthenticated', 'signIn'],
    ['identity.token', 'signIn'],
  ] as const) {
    it(`is repeated as a new one after ${code}, with all that was typed`, async () => {
      const sent = answers(refusal(code), done())
      hooks[hook] = async () => true
      await start()
      expect(sent).toHaveLength(2)
      expect(sent[1]!.body).toBe(sent[0]!.body)
      expect(sent[1]!.body).toContain('"a":1')
      expect(sent[0]!.key).toBeTruthy()
      expect(sent[1]!.key).toBeTruthy()
      expect(sent[1]!.key).not.toBe(sent[0]!.key)
    })
  }
  it('stays refused where the proof is not given', async () => {
    const sent = answers(refusal('identity.reauth'), done())
    await expect(start()).rejects.toMatchObject({ code: 'identity.reauth' })
    expect(sent).toHaveLength(1)
  })
  it('asks for nothing where the password itself is wrong', async () => {
    const sent = answers(refusal('identity.wrong_password'), done())
    hooks.signIn = hooks.confirm = async () => true
    await expect(start()).rejects.toMatchObject({ code: 'identity.wrong_password' })
    expect(sent).toHaveLength(1)
  })
})

describe('the time of the server', () => {
  it('is followed where this clock is wrong, and not by the way of an answer', () => {
    const here = Date.now()
    noteTime(new Date(here - 300_000).toUTCString(), here)
    expect(Math.abs(serverNow() - (here - 300_000))).toBeLessThan(3000)
    noteTime(new Date(here - 1000).toUTCString(), here)
    expect(Math.abs(serverNow() - here)).toBeLessThan(1000)
    noteTime(null)
    noteTime('no date')
    expect(Math.abs(serverNow() - here)).toBeLessThan(1000)
  })
})
