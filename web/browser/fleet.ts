import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Rig } from './rig'

/** A process that upgrades every host, batch by batch, through the plugin below. */
const process = `<?xml version="1.0"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:sextant="urn:sextant:bpmn:1" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:di="http://www.omg.org/spec/DD/20100524/DI" id="fleet-file" targetNamespace="t">
<process id="fleet" name="Upgrade the fleet" isExecutable="true">
<startEvent id="s" name="Asked"/><sequenceFlow id="f1" sourceRef="s" targetRef="batches"/>
<subProcess id="batches" name="Batch by batch"><extensionElements><sextant:bind path="host:host"/></extensionElements>
<multiInstanceLoopCharacteristics isSequential="true"><extensionElements><sextant:batch expression="BATCHES"/></extensionElements></multiInstanceLoopCharacteristics>
<startEvent id="bs"/><sequenceFlow id="b1" sourceRef="bs" targetRef="upgrade"/>
<serviceTask id="upgrade" name="Upgrade the agent"><extensionElements><zeebe:taskDefinition type="plugin:fleet/agent/upgrade"/></extensionElements></serviceTask>
<sequenceFlow id="b2" sourceRef="upgrade" targetRef="be"/><endEvent id="be"/></subProcess>
<sequenceFlow id="f2" sourceRef="batches" targetRef="e"/><endEvent id="e" name="Upgraded"/></process>
<bpmndi:BPMNDiagram id="d"><bpmndi:BPMNPlane id="p" bpmnElement="fleet">
<bpmndi:BPMNShape id="d1" bpmnElement="s"><dc:Bounds x="100" y="162" width="36" height="36"/></bpmndi:BPMNShape>
<bpmndi:BPMNShape id="d2" bpmnElement="batches" isExpanded="true"><dc:Bounds x="190" y="90" width="350" height="180"/></bpmndi:BPMNShape>
<bpmndi:BPMNShape id="d3" bpmnElement="bs"><dc:Bounds x="220" y="162" width="36" height="36"/></bpmndi:BPMNShape>
<bpmndi:BPMNShape id="d4" bpmnElement="upgrade"><dc:Bounds x="310" y="140" width="100" height="80"/></bpmndi:BPMNShape>
<bpmndi:BPMNShape id="d5" bpmnElement="be"><dc:Bounds x="462" y="162" width="36" height="36"/></bpmndi:BPMNShape>
<bpmndi:BPMNShape id="d6" bpmnElement="e"><dc:Bounds x="600" y="162" width="36" height="36"/></bpmndi:BPMNShape>
<bpmndi:BPMNEdge id="e1" bpmnElement="f1"><di:waypoint x="136" y="180"/><di:waypoint x="190" y="180"/></bpmndi:BPMNEdge>
<bpmndi:BPMNEdge id="e2" bpmnElement="b1"><di:waypoint x="256" y="180"/><di:waypoint x="310" y="180"/></bpmndi:BPMNEdge>
<bpmndi:BPMNEdge id="e3" bpmnElement="b2"><di:waypoint x="410" y="180"/><di:waypoint x="462" y="180"/></bpmndi:BPMNEdge>
<bpmndi:BPMNEdge id="e4" bpmnElement="f2"><di:waypoint x="540" y="180"/><di:waypoint x="600" y="180"/></bpmndi:BPMNEdge>
</bpmndi:BPMNPlane></bpmndi:BPMNDiagram></definitions>`

interface Row {
  [name: string]: unknown
  callbackParameter: string
}

/** A call that was accepted and waits for its result. */
export interface Job {
  key: string
  rows: Row[]
  progress: (row: string, percent: number, message?: string) => Promise<void>
  log: (row: string, offset: number, text: string) => Promise<void>
  /** Ends the call; rows that are named failed, with these messages. */
  end: (failed?: Record<string, string>) => Promise<void>
}

const text = (en: string, zh: string) => ({ en, zh })
const manifest = {
  plugin: 'fleet',
  version: '1.0.0',
  title: text('Fleet', '机队'),
  run: { builtin: true },
  services: [
    {
      name: 'agent',
      title: text('Agent', '代理'),
      actions: [
        {
          action: 'upgrade',
          title: text('Upgrade', '升级'),
          path: '/v1/agent/upgrade',
          method: 'POST',
          batch: 100,
          timeout: 'PT10M',
          risk: 'change',
          idempotent: true,
          target: 'host:host',
          input: [{ name: 'version', required: true, type: 'string', title: text('Version', '版本') }],
          output: [{ name: 'was', type: 'string' }],
        },
      ],
    },
  ],
}

async function body(request: IncomingMessage): Promise<string> {
  let all = ''
  for await (const piece of request) all += String(piece)
  return all
}

/** Connects a plugin that runs elsewhere: what becomes of a call is up to `accepted`. */
export async function connect(rig: Rig, accepted: (job: Job) => void): Promise<{ close: () => Promise<void> }> {
  const { token } = await rig.api<{ token: string }>('POST', '/api/v1/plugins/fleet/token', {})
  const tell = async (path: string, what: unknown) => {
    const answer = await fetch(rig.url + path, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(what),
    })
    if (!answer.ok && answer.status !== 410) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  }
  const server = createServer((request, response) => {
    if (request.url === '/manifest') return void response.end(JSON.stringify(manifest))
    if (request.url === '/healthz') return void response.end('ok')
    void body(request).then((got) => {
      response.statusCode = 202
      response.end()
      if (request.url!.endsWith('/cancel')) return
      const key = String(request.headers['idempotency-key'])
      const rows = (JSON.parse(got) as { inputs: Row[] }).inputs
      /** A host by its name alone; a row is known by the whole reference. */
      const whole = (name: string) => rows.find((r) => r.callbackParameter.endsWith(`/${name}`))?.callbackParameter ?? name
      const failure = (failed: Record<string, string>, r: Row) => failed[r.callbackParameter.slice(r.callbackParameter.indexOf('/') + 1)]
      accepted({
        key,
        rows,
        progress: (row, percent, message) => tell(`/api/v1/jobs/${key}/progress`, { row: whole(row), percent, message }),
        log: (row, offset, said) =>
          tell(`/api/v1/jobs/${key}/log`, { chunks: [{ row: whole(row), offset, bytes: Buffer.from(said).toString('base64') }] }),
        end: (failed = {}) =>
          tell(`/api/v1/jobs/${key}/result`, {
            resultCode: Object.keys(failed).length ? '1' : '0',
            results: {
              outputs: rows.map((r) => ({
                callbackParameter: r.callbackParameter,
                errorCode: failure(failed, r) ? 'agent.refused' : '0',
                errorMessage: failure(failed, r) ?? '',
                was: '2.3.1',
              })),
            },
          }),
      })
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  await rig.api('PUT', '/api/v1/plugins/fleet', { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  return {
    close: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

/** Makes hosts, and the process that upgrades them in these batches; gives the hosts. */
export async function prepare(rig: Rig, hosts: number, batches: string): Promise<string[]> {
  const all: string[] = []
  for (let from = 0; from < hosts; from += 500) {
    const some = Array.from({ length: Math.min(500, hosts - from) }, (_, i) => `web-${String(from + i + 1).padStart(4, '0')}`)
    all.push(...some.map((name) => `host:host/${name}`))
    await rig.api(
      'POST',
      '/api/v1/objects/host:host',
      some.map((name, i) => ({ id: name, name, address: `127.1.${(from + i) >> 8}.${(from + i) & 255}` })),
    )
  }
  await deploy(rig, 'fleet', batches)
  return all
}

/** Deploys the process under this id. */
export async function deploy(rig: Rig, id: string, batches: string): Promise<void> {
  const answer = await fetch(`${rig.url}/api/v1/processes`, {
    method: 'POST',
    headers: { Cookie: rig.cookie, Origin: new URL(rig.url).origin, 'Content-Type': 'application/xml' },
    body: process
      .replace('BATCHES', batches)
      .replace('process id="fleet"', `process id="${id}"`)
      .replace('bpmnElement="fleet"', `bpmnElement="${id}"`),
  })
  if (!answer.ok) throw new Error(await answer.text())
}

export const startFleet = async (rig: Rig, objects: string[], variables: Record<string, unknown> = { version: '2.4.0' }, id = 'fleet') =>
  (
    await rig.api<{ run: string }>('POST', '/api/v1/runs', {
      project: 'default',
      process: id,
      title: 'Upgrade the fleet to 2.4.0',
      objects,
      variables,
    })
  ).run
