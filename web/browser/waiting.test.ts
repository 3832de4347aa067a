import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { faults, looks, password, start, type Rig } from './rig'

// Runs that wait for others, runs that others have called, and tasks that somebody takes.

const definitions = (inner: string) =>
  `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:sextant="urn:sextant:bpmn:1" targetNamespace="t">${inner}</definitions>`
/** Holds its host until a person says that it is done; one at a time. */
const held = definitions(`<process id="patch" name="Patch a host" isExecutable="true">
<startEvent id="s"><extensionElements><sextant:start object="host:host" title="=&quot;Patch web-1&quot;" onBusy="queue"/></extensionElements></startEvent><sequenceFlow id="f1" sourceRef="s" targetRef="hold"/>
<userTask id="hold" name="Say when it is done"><extensionElements><zeebe:userTask/><zeebe:taskSchedule dueDate="2026-01-31T08:00:00Z" followUpDate="=now() + duration(&quot;P3D&quot;)"/></extensionElements></userTask><sequenceFlow id="f2" sourceRef="hold" targetRef="e"/><endEvent id="e"/></process>`)
/** Calls a process that asks a person. */
const calls =
  definitions(`<process id="outer" name="Release" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="c"/>
<callActivity id="c" name="Check it"><extensionElements><zeebe:calledElement processId="inner"/></extensionElements></callActivity><sequenceFlow id="f2" sourceRef="c" targetRef="e"/><endEvent id="e"/></process>
<process id="inner" name="Check" isExecutable="true"><startEvent id="is"/><sequenceFlow id="g1" sourceRef="is" targetRef="look"/><userTask id="look" name="Look at it"><extensionElements><zeebe:userTask/></extensionElements></userTask><sequenceFlow id="g2" sourceRef="look" targetRef="ie"/><endEvent id="ie"/></process>`)

let rig: Rig
const run: string[] = []
beforeAll(async () => {
  rig = await start()
  for (const xml of [held, calls]) {
    const answer = await fetch(`${rig.url}/api/v1/processes`, {
      method: 'POST',
      headers: { Cookie: rig.cookie, Origin: new URL(rig.url).origin, 'Content-Type': 'application/xml' },
      body: xml,
    })
    if (!answer.ok) throw new Error(await answer.text())
  }
  await rig.api('POST', '/api/v1/objects/host:host', [{ id: 'web-1', name: 'web-1', address: '192.0.2.1' }])
  for (let i = 0; i < 3; i++)
    run.push((await rig.api<{ run: string }>('POST', '/api/v1/runs', { process: 'patch', objects: ['host:host/web-1'] })).run)
})
afterAll(() => rig?.close())

describe('a run that waits', () => {
  for (const look of looks)
    it(`says for whom and at which place, in ${look.locale}, ${look.theme}, at ${look.width}`, async () => {
      const { page, context, complaints } = await rig.open(`/runs/${run[2]}`, look)
      const card = page.getByRole('region', { name: look.locale === 'zh' ? /等待/ : 'Waits to start' })
      await card
        .getByText(look.locale === 'zh' ? /第 2 位|2/ : 'Place 2')
        .first()
        .waitFor()
      await card.getByText('web-1').first().waitFor()
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0)
      expect(await faults(page)).toEqual([])
      await page.screenshot({ path: `${inject('shots')}/run-waiting-${look.locale}-${look.theme}.png` })
      expect(complaints).toEqual([])
      await context.close()
    })

  it('comes before the others when it is moved up, and leaves when it is cancelled', async () => {
    const { page, context, complaints } = await rig.open(`/runs/${run[2]}`)
    const card = page.getByRole('region', { name: 'Waits to start' })
    await card.getByRole('button', { name: 'Move to the front' }).click()
    await card.getByText('Place 1').waitFor()
    const line = await rig.api<{ items: { run: string }[] }>('GET', '/api/v1/waiting')
    expect(line.items.map((w) => w.run)).toEqual([run[2], run[1]])
    await rig.api('POST', `/api/v1/runs/${run[2]}/cancel`, { reason: 'not needed' })
    await card.waitFor({ state: 'detached' })
    expect(complaints).toEqual([])
    await context.close()
  })
})

describe('a run that calls another', () => {
  it('leads to it, and it back', async () => {
    const { run: outer } = await rig.api<{ run: string }>('POST', '/api/v1/runs', { process: 'outer' })
    const { page, context, complaints } = await rig.open(`/runs/${outer}`)
    const down = page.getByRole('list', { name: 'Runs that it has called' }).getByRole('link', { name: 'inner' })
    await down.waitFor()
    expect(await faults(page)).toEqual([])
    await page.screenshot({ path: `${inject('shots')}/run-calls.png`, fullPage: true })
    await down.click()
    await page.waitForURL((u) => u.pathname.startsWith('/runs/') && !u.pathname.endsWith(outer))
    await page.getByText('Called by').waitFor()
    await page.screenshot({ path: `${inject('shots')}/run-called.png`, fullPage: true })
    expect(complaints).toEqual([])
    await context.close()
  })
})

describe('a task', () => {
  it('is taken and given back', async () => {
    const { page, context, complaints } = await rig.open('/tasks')
    await page.getByText('Say when it is done').first().waitFor()
    expect(await faults(page)).toEqual([])
    await page.screenshot({ path: `${inject('shots')}/task-claim.png`, fullPage: true })
    await page.getByRole('button', { name: 'Take it' }).first().click()
    await page.getByRole('button', { name: 'Give it back' }).first().click()
    await page.getByRole('button', { name: 'Give it back' }).waitFor({ state: 'detached' })
    expect(complaints).toEqual([])
    await context.close()
  })

  it('tells by when it is due, and is passed on', async () => {
    await rig.api('POST', '/api/v1/users', { name: 'ben', password, grants: [{ permission: '*', project: 'default' }] })
    const { page, context, complaints } = await rig.open('/tasks')
    const task = page.getByRole('listitem').filter({ hasText: 'Say when it is done' }).first()
    await task.getByText('Overdue since').waitFor()
    await task.getByText('Follow up').waitFor()
    await task.getByRole('button', { name: 'Pass on' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('User name').fill('nobody')
    await dialog.getByRole('button', { name: 'Pass on' }).click()
    await dialog.getByText(/nobody called "nobody"/).waitFor()
    await dialog.getByLabel('User name').fill('ben')
    await page.screenshot({ path: `${inject('shots')}/task-pass-on.png` })
    await dialog.getByRole('button', { name: 'Pass on' }).click()
    await page.getByText('Passed on to ben').waitFor()
    await task.getByText('Done by').waitFor()
    expect(await task.getByText('ben', { exact: true }).count()).toBe(1)
    expect(await faults(page)).toEqual([])
    await page.screenshot({ path: `${inject('shots')}/task-passed-on.png`, fullPage: true })
    expect(complaints.filter((c) => !c.includes('422'))).toEqual([]) // that of nobody was refused
    await context.close()
    for (const look of looks) {
      const { page, context } = await rig.open('/tasks', look)
      await page.getByText('ben', { exact: true }).first().waitFor()
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0)
      expect(await faults(page)).toEqual([])
      await page.screenshot({ path: `${inject('shots')}/tasks-${look.locale}-${look.theme}.png` })
      await context.close()
    }
  })
})
