import { connect, deploy, prepare, startFleet, type Job } from './fleet'
import { password, start, type Rig } from './rig'

// A platform on which there is something to do: hosts of which some are down, a
// run that failed, one that is stuck, one that goes on, and one that asks.

const head =
  '<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:sextant="urn:sextant:bpmn:1" id="file" targetNamespace="t">'
/** Upgrades hosts; what fails ends the run. */
const nightly = `${head}<error id="bad" errorCode="upgrade-failed"/><process id="nightly" name="Nightly upgrade" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="u"/><serviceTask id="u" name="Upgrade the agent"><extensionElements><zeebe:taskDefinition type="plugin:fleet/agent/upgrade"/><sextant:bind path="host:host"/></extensionElements></serviceTask><boundaryEvent id="b" attachedToRef="u"><errorEventDefinition/></boundaryEvent><sequenceFlow id="f2" sourceRef="u" targetRef="e"/><sequenceFlow id="f3" sourceRef="b" targetRef="x"/><endEvent id="e"/><endEvent id="x"><errorEventDefinition errorRef="bad"/></endEvent></process></definitions>`
const ask = `${head}<process id="ask" name="Ask" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="q"/><userTask id="q" name="Stop or go on?"><extensionElements><zeebe:userTask/><zeebe:ioMapping><zeebe:input source="=null" target="decision"/><zeebe:output source="=decision" target="decision"/></zeebe:ioMapping></extensionElements></userTask><sequenceFlow id="f2" sourceRef="q" targetRef="g"/><exclusiveGateway id="g" default="stop"/><sequenceFlow id="on" name="go on" sourceRef="g" targetRef="e"><conditionExpression>=decision = "on"</conditionExpression></sequenceFlow><sequenceFlow id="stop" name="stop" sourceRef="g" targetRef="z"/><endEvent id="e"/><endEvent id="z"/></process></definitions>`
/** A process that nobody has deployed yet. */
export const fresh = `${head}<process id="sweep" name="Sweep" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="e"/><endEvent id="e"/></process></definitions>`

export interface Stage {
  rig: Rig
  /** The next call that the plugin got. */
  next: () => Promise<Job>
  hosts: string[]
  failed: string
  stuck: string
  going: string
  asking: string
  close: () => Promise<void>
}

export async function stage(): Promise<Stage> {
  const rig = await start()
  const jobs: Job[] = []
  const plugin = await connect(rig, (job) => jobs.push(job))
  const next = async () => {
    while (!jobs.length) await new Promise((soon) => setTimeout(soon, 20))
    return jobs.shift()!
  }
  const file = async (xml: string) => {
    const answer = await fetch(`${rig.url}/api/v1/processes`, {
      method: 'POST',
      headers: { Cookie: rig.cookie, Origin: new URL(rig.url).origin, 'Content-Type': 'application/xml' },
      body: xml,
    })
    if (!answer.ok) throw new Error(await answer.text())
  }
  const hosts = await prepare(rig, 60, '100%')
  await rig.api(
    'PATCH',
    '/api/v1/objects/host:host',
    hosts.map((o, i) => ({ id: o.split('/')[1], 'state@observed': i < 22 ? 'down' : 'up' })),
  )
  await file(nightly)
  await file(ask)
  await deploy(rig, 'canary', '100%')
  const failed = (
    await rig.api<{ run: string }>('POST', '/api/v1/runs', {
      project: 'default',
      process: 'nightly',
      title: 'Nightly upgrade',
      objects: hosts.slice(30, 32),
      variables: { version: '2.4.0' },
    })
  ).run
  const bad = await next()
  await bad.log('web-0031', 0, 'fetching 2.4.0\nerror: the signature does not fit\n')
  await bad.end({ 'web-0031': 'the package 2.4.0 is not signed' })
  const stuck = await startFleet(rig, hosts.slice(32, 34), { version: '2.4.0' })
  await (await next()).end({ 'web-0033': 'the disk is full' })
  const going = await startFleet(rig, hosts.slice(34, 36), { version: '2.5.0' }, 'canary')
  await next()
  const asking = (await rig.api<{ run: string }>('POST', '/api/v1/runs', { project: 'default', process: 'ask', title: 'Release 7' })).run
  await rig.api('PUT', '/api/v1/connections/build', {
    type: 'ssh',
    environment: 'prod',
    fields: { user: 'deploy' },
    secrets: { password: 'not shown' },
  })
  await rig.api('POST', '/api/v1/users', { name: 'ann', password, roles: [{ role: 'viewer', project: 'default' }] })
  return {
    rig,
    next,
    hosts,
    failed,
    stuck,
    going,
    asking,
    close: async () => {
      await plugin.close()
      await rig.close()
    },
  }
}
