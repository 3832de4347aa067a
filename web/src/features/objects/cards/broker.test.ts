import { describe, expect, it, vi } from 'vitest'
import { greets, parse, Refusal, serve, type Desk } from './broker'

const known = [
  { id: 1, method: 'object.read' },
  { id: 1, method: 'service.call', params: { service: 'facts', action: 'collect' } },
  { id: 1, method: 'object.open', params: { object: 'host:host/web-1' } },
  { method: 'ready' },
  { method: 'failed', params: { message: 'no' } },
  { method: 'size', params: { height: 120.4 } },
]

const malformed: unknown[] = [
  undefined,
  null,
  'object.read',
  7,
  [],
  { method: 'object.read' },
  { id: 0, method: 'object.read' },
  { id: 1.5, method: 'object.read' },
  { id: '1', method: 'object.read' },
  { id: 1, method: 'object.read', params: { object: 'cmdb:secret/1' } },
  { id: 1, method: 'object.read', project: 'other' },
  { id: 1, method: 'object.write', params: {} },
  { id: 1, method: 'constructor' },
  { id: 1, method: 'service.call', params: { service: 'facts' } },
  { id: 1, method: 'service.call', params: { service: '../other/facts', action: 'collect' } },
  { id: 1, method: 'service.call', params: { service: 'facts', action: 'collect', objects: ['host:host/other'] } },
  { id: 1, method: 'service.call', params: { service: { toString: 'facts' }, action: 'collect' } },
  { id: 1, method: 'object.open', params: { object: 'javascript:alert(1)' } },
  { id: 1, method: 'object.open', params: { object: '//evil.example/x' } },
  { id: 1, method: 'object.open', params: { object: 'host:host/../../sign-in?next=x' } },
  { id: 1, method: 'object.open', params: [] },
  { method: 'size', params: { height: Infinity } },
  { method: 'size', params: { height: '100%' } },
  { method: 'failed', params: { message: { html: '<b>' } } },
]

function rig(desk: Partial<Desk> = {}) {
  const said: unknown[] = []
  const port: Pick<MessagePort, 'postMessage' | 'onmessage'> = { postMessage: (m: unknown) => void said.push(m), onmessage: null }
  const all: Desk = {
    read: vi.fn(async () => ({ id: 'web-1' })),
    call: vi.fn(async () => undefined),
    open: vi.fn(async () => undefined),
    ready: vi.fn(),
    failed: vi.fn(),
    size: vi.fn(),
    ...desk,
  }
  serve(port, all)
  return {
    all,
    said,
    send: (data: unknown) => port.onmessage!.call(port as MessagePort, { data } as MessageEvent),
    settle: () => new Promise((next) => setTimeout(next)),
  }
}

describe('the broker of a card', () => {
  it('knows its messages and no other', () => {
    for (const m of known) expect(parse(m), JSON.stringify(m)).toBeDefined()
    for (const m of malformed) expect(parse(m), JSON.stringify(m)).toBeUndefined()
  })

  it('does nothing about a message that is malformed, and does not answer it', async () => {
    const r = rig()
    for (const m of malformed) r.send(m)
    await r.settle()
    expect(r.said).toEqual([])
    for (const f of Object.values(r.all)) expect(f).not.toHaveBeenCalled()
  })

  it('answers by number, and tells a refusal but not why something broke', async () => {
    const r = rig({
      call: async () => {
        throw new Refusal('card.refused', 'not yours')
      },
      open: async () => {
        throw new Error('token abc in /etc')
      },
    })
    r.send({ id: 1, method: 'object.read' })
    r.send({ id: 2, method: 'service.call', params: { service: 'facts', action: 'collect' } })
    r.send({ id: 3, method: 'object.open', params: { object: 'host:host/web-1' } })
    await r.settle()
    expect(r.said).toEqual([
      { kind: 'answer', id: 1, result: { id: 'web-1' } },
      { kind: 'answer', id: 2, error: { code: 'card.refused', message: 'not yours' } },
      { kind: 'answer', id: 3, error: { code: 'card.failed', message: 'the console could not do that' } },
    ])
  })

  it('works on some questions at a time', async () => {
    const r = rig({ read: () => new Promise(() => undefined) })
    for (let id = 1; id <= 10; id++) r.send({ id, method: 'object.read' })
    expect(r.said.map((m) => (m as { id: number }).id)).toEqual([9, 10])
  })

  it('makes nothing taller than a screen can bear', () => {
    expect(parse({ method: 'size', params: { height: 1e9 } })).toEqual({ method: 'size', height: 1200 })
    expect(parse({ method: 'size', params: { height: -5 } })).toEqual({ method: 'size', height: 0 })
  })

  it('listens to the frame of the card alone', () => {
    const [frame, other] = [{}, {}] as [Window, Window]
    const e = { source: frame, origin: 'null', data: 'sextant card' }
    expect(greets(e, frame)).toBe(true)
    expect(greets({ ...e, source: other }, frame)).toBe(false)
    expect(greets({ ...e, origin: 'https://evil.example' }, frame)).toBe(false)
    expect(greets({ ...e, origin: location.origin }, frame)).toBe(false)
    expect(greets({ ...e, data: { kind: 'begin' } }, frame)).toBe(false)
    expect(greets({ ...e, source: null }, null)).toBe(false)
  })
})
