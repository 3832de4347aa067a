/** What a card may ask of the console. It is all that a card in a frame can do to the world. */
export type Ask =
  | { id: number; method: 'object.read' }
  | { id: number; method: 'service.call'; service: string; action: string }
  | { id: number; method: 'object.open'; object: string }
  | { method: 'ready' }
  | { method: 'failed'; message: string }
  | { method: 'size'; height: number }

/** What the console does for a card that asks. */
export interface Desk {
  read: () => Promise<unknown>
  call: (service: string, action: string) => Promise<unknown>
  open: (object: string) => Promise<unknown>
  ready: () => void
  failed: (message: string) => void
  size: (height: number) => void
}

/** Why the console did not do what a card asked for. */
export class Refusal extends Error {
  constructor(
    public code: string,
    message: string,
  ) {
    super(message)
  }
}

const name = /^[a-z0-9][a-zA-Z0-9_-]{0,62}$/
const reference = /^[a-z0-9][a-z0-9_-]{0,62}:[A-Za-z_][\w-]{0,127}\/[^\s/?#\\]{1,190}$/
const atOnce = 8
const tallest = 1200

const isRecord = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v)
const has = (v: Record<string, unknown>, ...keys: string[]) =>
  Object.keys(v).length === keys.length && keys.every((k) => Object.hasOwn(v, k))

/** Reads a message of a card; one that is not exactly of a form that is known is none. */
export function parse(data: unknown): Ask | undefined {
  if (!isRecord(data) || typeof data.method !== 'string') return undefined
  const params = data.params === undefined ? {} : data.params
  if (!isRecord(params) || Object.keys(data).some((k) => !['id', 'method', 'params'].includes(k))) return undefined
  const { id, method } = data
  if (id === undefined) {
    if (method === 'ready' && has(params)) return { method }
    if (method === 'failed' && has(params, 'message') && typeof params.message === 'string')
      return { method, message: params.message.slice(0, 500) }
    if (method === 'size' && has(params, 'height') && Number.isFinite(params.height))
      return { method, height: Math.min(tallest, Math.max(0, Math.round(params.height as number))) }
    return undefined
  }
  if (!Number.isSafeInteger(id) || (id as number) < 1) return undefined
  const n = id as number
  if (method === 'object.read' && has(params)) return { id: n, method }
  if (
    method === 'service.call' &&
    has(params, 'service', 'action') &&
    typeof params.service === 'string' &&
    typeof params.action === 'string' &&
    name.test(params.service) &&
    name.test(params.action)
  )
    return { id: n, method, service: params.service, action: params.action }
  if (method === 'object.open' && has(params, 'object') && typeof params.object === 'string' && reference.test(params.object))
    return { id: n, method, object: params.object }
  return undefined
}

/** Answers what comes through a port, some at a time. What is malformed is not answered. */
export function serve(port: Pick<MessagePort, 'postMessage' | 'onmessage'>, desk: Desk): void {
  let open = 0
  port.onmessage = (e: MessageEvent) => {
    const ask = parse(e.data)
    if (!ask) return
    if (ask.method === 'ready') return desk.ready()
    if (ask.method === 'failed') return desk.failed(ask.message)
    if (ask.method === 'size') return desk.size(ask.height)
    const { id } = ask
    const refuse = (code: string, message: string) => port.postMessage({ kind: 'answer', id, error: { code, message } })
    if (open >= atOnce) return refuse('card.busy', 'the card asks too much at once')
    open++
    const work =
      ask.method === 'object.read'
        ? desk.read()
        : ask.method === 'service.call'
          ? desk.call(ask.service, ask.action)
          : desk.open(ask.object)
    void work
      .then((result) => port.postMessage({ kind: 'answer', id, result: result ?? null }))
      .catch((cause: unknown) =>
        cause instanceof Refusal ? refuse(cause.code, cause.message) : refuse('card.failed', 'the console could not do that'),
      )
      .finally(() => open--)
  }
}

/** Whether a message is the first word of the frame of a card: from that very window, which has no origin. */
export function greets(e: Pick<MessageEvent, 'source' | 'origin' | 'data'>, frame: Window | null | undefined): boolean {
  return !!frame && e.source === frame && e.origin === 'null' && e.data === 'sextant card'
}
