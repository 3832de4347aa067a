import { ask, client } from '@/api/client'
import { Problem } from '@/api/problem'

type Outputs = Record<string, unknown>

/** What became of the object. */
interface Told {
  object: string
  outcome?: string
  code?: string
  message?: string
  outputs?: Outputs
}

const [first, slowest] = [150, 1000]

/** Calls a service on one object and waits for what it gives back; what went wrong is told in the words of the row. */
export async function callOn(
  project: string,
  service: string,
  object: string,
  variables: Record<string, unknown>,
  why: string,
  signal: AbortSignal,
): Promise<Outputs> {
  const { run } = await ask(
    client.POST('/api/v1/calls', { body: { project, service, objects: [object], variables, onFailure: 'fail' }, signal }),
  )
  if (!run) throw new Problem({ status: 0, code: 'console.error', title: service })
  const path = { run }
  for (let wait = first; ; wait = Math.min(slowest, wait * 1.5)) {
    const { state } = await ask(client.GET('/api/v1/runs/{run}', { params: { path }, signal }))
    if (state !== 'active') {
      const jobs = await ask(client.GET('/api/v1/runs/{run}/jobs', { params: { path }, signal }))
      const row = jobs.items?.[0]?.rows?.[0]
      // Nobody knows what became of it: that is told here, and waits for nobody.
      if (state === 'incident')
        await ask(client.POST('/api/v1/runs/{run}/cancel', { params: { path }, body: { reason: why, failed: true } }))
      return outputsOf(jobs.items?.[0]?.job, row, signal)
    }
    await new Promise((next) => setTimeout(next, wait))
  }
}

async function outputsOf(job: string | undefined, row: Told | undefined, signal: AbortSignal): Promise<Outputs> {
  if (!job || !row || row.outcome !== 'ok')
    throw new Problem({ status: 422, code: row?.code ?? 'console.error', title: row?.message || row?.code || row?.outcome || '–' })
  if (row.outputs) return row.outputs
  const view = await ask(client.GET('/api/v1/jobs/{job}/row', { params: { path: { job }, query: { object: row.object } }, signal }))
  return view.row.outputs ?? {}
}

/** What a host is called where nobody says: its address without the port. */
export function nameOf(address: string): string {
  const text = address.trim()
  const six = /^\[([^\]]+)\]/.exec(text)
  if (six) return six[1]!
  return text.split(':').length === 2 ? text.slice(0, text.indexOf(':')) : text
}

/** An id that an object may have, of a name. */
export const idOf = (name: string) =>
  name
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|-+$/g, '')
    .slice(0, 60)

export interface Key {
  kind: string
  fingerprint: string
  line: string
}

/** The keys that a scan tells, the best first. */
export function keysOf(outputs: Outputs): Key[] {
  const lines = String(outputs.keys ?? '')
    .split('\n')
    .filter(Boolean)
  const prints = String(outputs.fingerprints ?? '')
    .split('\n')
    .filter(Boolean)
  return prints.flatMap((p, i) => {
    const [kind = '', fingerprint = ''] = p.split(' ')
    return lines[i] ? [{ kind, fingerprint, line: lines[i] }] : []
  })
}
