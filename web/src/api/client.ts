import createClient from 'openapi-fetch'
import { takeAhead } from './ahead'
import { base } from './base'
import { noteTime } from './clock'
import { readExact, writeExact } from './exact'
import { Problem } from './problem'
import type { components, paths } from './schema'

export type Schemas = components['schemas']

/** What somebody has to do before a request can go on; the frame fills it in. */
export const hooks = {
  /** Asks for the password once more; false where the person gave up. */
  confirm: async (): Promise<boolean> => false,
  /** The session has ended: asks to sign in again where one is; false where the person gave up. */
  signIn: async (): Promise<boolean> => false,
}

/** Sends a request of the console; what was sent ahead is not sent again. */
export async function send(request: Request): Promise<Response> {
  const again = request.clone()
  const response = await (takeAhead(request) ?? fetch(request))
  noteTime(response.headers.get('Date'))
  if (response.status !== 401) return response
  const { code } = await Problem.of(response.clone())
  const prove =
    code === 'identity.reauth' ? hooks.confirm : code === 'identity.unauthenticated' || code === 'identity.token' ? hooks.signIn : undefined
  if (!(await prove?.())) return response
  // It is asked anew: under the old key the server would tell its refusal again.
  if (again.headers.has('Idempotency-Key')) again.headers.set('Idempotency-Key', crypto.randomUUID())
  return fetch(again)
}

/** The typed client, made from the API's own description. */
export const client = createClient<paths>({
  baseUrl: base.replace(/\/$/, ''),
  fetch: send,
  bodySerializer: (body: unknown) => writeExact(body),
})

client.use({
  onRequest({ request }) {
    // A POST that is sent twice, by a retry or a double click, acts once.
    if (request.method === 'POST' && !request.headers.has('Idempotency-Key')) request.headers.set('Idempotency-Key', crypto.randomUUID())
    return request
  },
})

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

/** Gives what a call answered, or throws its Problem. */
export async function ask<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>
  try {
    answer = await call
  } catch (cause) {
    throw new Problem({ status: 0, code: 'network.unreachable', title: String(cause) })
  }
  if (answer.response.ok) return answer.data as T
  throw Problem.from(answer.error, answer.response.status)
}

/** Gives what a call answered as text, with every digit of its numbers: for what is sent back. Calls say parseAs: 'text'. */
export async function askExact<T>(call: Promise<Answer<string>>): Promise<T> {
  return readExact(await ask(call)) as T
}
