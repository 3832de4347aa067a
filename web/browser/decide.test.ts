import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { faults, looks, password, start, type Rig } from './rig'

// A process that asks a person, and what its run tells before and after.

const xml = `<?xml version="1.0"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:di="http://www.omg.org/spec/DD/20100524/DI" id="decide-file" targetNamespace="t">
<error id="stopped" errorCode="release-stopped"/>
<process id="decide" name="Decide" isExecutable="true">
<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="ask"/>
<userTask id="ask" name="Stop or go on?"><documentation>Go on only if the balancer is quiet.</documentation><extensionElements><zeebe:userTask/><zeebe:ioMapping><zeebe:input source="=null" target="decision"/><zeebe:output source="=decision" target="decision"/></zeebe:ioMapping></extensionElements></userTask>
<sequenceFlow id="f2" sourceRef="ask" targetRef="g"/><exclusiveGateway id="g" default="stop"/>
<sequenceFlow id="on" name="go on" sourceRef="g" targetRef="e"><conditionExpression>=decision = "on"</conditionExpression></sequenceFlow>
<sequenceFlow id="stop" name="stop" sourceRef="g" targetRef="bad"/>
<endEvent id="e"/><endEvent id="bad" name="Stopped"><errorEventDefinition errorRef="stopped"/></endEvent></process>
<bpmndi:BPMNDiagram id="d"><bpmndi:BPMNPlane id="p" bpmnElement="decide">
<bpmndi:BPMNShape id="d1" bpmnElement="s"><dc:Bounds x="100" y="162" width="36" height="36"/></bpmndi:BPMNShape>
<bpmndi:BPMNShape id="d2" bpmnElement="ask"><dc:Bounds x="900" y="140" width="100" height="80"/></bpmndi:BPMNShape>
<bpmndi:BPMNShape id="d3" bpmnElement="g"><dc:Bounds x="2000" y="155" width="50" height="50"/></bpmndi:BPMNShape>
<bpmndi:BPMNShape id="d4" bpmnElement="e"><dc:Bounds x="2200" y="162" width="36" height="36"/></bpmndi:BPMNShape>
<bpmndi:BPMNShape id="d5" bpmnElement="bad"><dc:Bounds x="2200" y="262" width="36" height="36"/></bpmndi:BPMNShape>
<bpmndi:BPMNEdge id="e1" bpmnElement="f1"><di:waypoint x="136" y="180"/><di:waypoint x="900" y="180"/></bpmndi:BPMNEdge>
<bpmndi:BPMNEdge id="e2" bpmnElement="f2"><di:waypoint x="1000" y="180"/><di:waypoint x="2000" y="180"/></bpmndi:BPMNEdge>
<bpmndi:BPMNEdge id="e3" bpmnElement="on"><di:waypoint x="2050" y="180"/><di:waypoint x="2200" y="180"/></bpmndi:BPMNEdge>
<bpmndi:BPMNEdge id="e4" bpmnElement="stop"><di:waypoint x="2025" y="205"/><di:waypoint x="2025" y="280"/><di:waypoint x="2200" y="280"/></bpmndi:BPMNEdge>
</bpmndi:BPMNPlane></bpmndi:BPMNDiagram></definitions>`

const shots = inject('shots')
let rig: Rig
beforeAll(async () => {
  rig = await start()
  const answer = await fetch(`${rig.url}/api/v1/processes`, {
    method: 'POST',
    headers: { Cookie: rig.cookie, Origin: new URL(rig.url).origin, 'Content-Type': 'application/xml' },
    body: xml,
  })
  if (!answer.ok) throw new Error(await answer.text())
})
afterAll(() => rig?.close())

const ask = async (title: string, variables = {}) =>
  (await rig.api<{ run: string }>('POST', '/api/v1/runs', { project: 'default', process: 'decide', title, variables })).run
const raw = async (path: string) => (await fetch(rig.url + path, { headers: { Cookie: rig.cookie } })).text()
const stateOf = async (run: string) => (await rig.api<{ state: string }>('GET', `/api/v1/runs/${run}`)).state
const says = (page: Page, state: string) =>
  page.getByRole('heading', { level: 1 }).locator('xpath=..').getByText(state, { exact: true }).waitFor()
const form = (page: Page) => page.locator('main section').filter({ hasText: 'Go on only if the balancer is quiet.' })

describe('a run that asks a person', () => {
  it('asks first at every width, chooses nothing beforehand, and is not answered by nothing', async () => {
    const run = await ask('Release 7')
    for (const width of [1440, 1024, 390]) {
      const { page, context } = await rig.open(`/runs/${run}`, { width })
      await says(page, 'Waits for a person')
      const card = form(page)
      await card.getByRole('radio', { name: 'Stop' }).waitFor()
      expect(await card.getByRole('radio', { checked: true }).count(), 'chosen beforehand').toBe(0)
      const [asked, pictured] = await Promise.all([
        card.boundingBox(),
        page.getByRole('region', { name: 'Diagram of the process' }).boundingBox(),
      ])
      expect(asked!.y + asked!.height, `the question comes before the picture at ${width}`).toBeLessThanOrEqual(pictured!.y)
      await card.getByRole('button', { name: 'Complete', exact: true }).click()
      await card.getByText('An answer is needed.').waitFor()
      expect(await faults(page)).toEqual([])
      await page.screenshot({ path: `${shots}/decide-${width}.png` })
      await context.close()
    }
    expect(await stateOf(run)).toBe('active')
    await rig.api('POST', `/api/v1/runs/${run}/cancel`, { reason: 'only looked at' })
  })

  it('shows its picture legible, around the token', async () => {
    const run = await ask('Release 8')
    const { page, context } = await rig.open(`/runs/${run}`, { width: 1024 })
    const label = page.locator('.diagram .is-waiting text').first()
    await label.waitFor()
    const box = (await label.boundingBox())!
    const frame = (await page.locator('.diagram').boundingBox())!
    expect(box.x).toBeGreaterThan(frame.x)
    expect(box.x + box.width).toBeLessThan(frame.x + frame.width)
    expect(
      await label.evaluate((e) => parseFloat(getComputedStyle(e).fontSize) * (e as SVGTextElement).getScreenCTM()!.a),
    ).toBeGreaterThanOrEqual(11)
    await rig.api('POST', `/api/v1/runs/${run}/cancel`, { reason: 'only looked at' })
    await context.close()
  })

  it('tells after its end what went wrong, who decided that, and what it knew', async () => {
    const run = await ask('Release 9', { version: '1.10' })
    const { page, context, complaints } = await rig.open(`/runs/${run}`)
    await form(page).getByRole('radio', { name: 'Stop' }).click()
    await form(page).getByRole('button', { name: 'Complete', exact: true }).click()
    await says(page, 'Failed')
    const summary = page.getByRole('region', { name: 'The run failed' })
    await summary.getByText('release-stopped').first().waitFor()
    await summary.getByText('admin').waitFor()
    await summary.getByText('decision: stop').waitFor()
    await page.locator('.diagram .is-failed').first().waitFor()
    await page.getByRole('tab', { name: 'Variables' }).click()
    await page.getByText('1.10', { exact: true }).waitFor()
    expect(await faults(page)).toEqual([])
    await page.screenshot({ path: `${shots}/decide-failed.png` })
    expect(complaints).toEqual([])
    await context.close()
  })

  it('tells who cancelled it, and why', async () => {
    const run = await ask('Release 10')
    await rig.api('POST', `/api/v1/runs/${run}/cancel`, { reason: 'the wrong week' })
    const { page, context } = await rig.open(`/runs/${run}`, looks[1])
    await page.getByText('the wrong week').waitFor()
    expect(await page.getByText('the wrong week').count(), 'a reason stands once').toBe(1)
    expect(await faults(page)).toEqual([])
    await page.screenshot({ path: `${shots}/decide-cancelled.png` })
    await context.close()
  })
})

describe('a run that is asked for again', () => {
  it('is the page from then on, with every digit and the title', async () => {
    const exact = '9007199254740993'
    const body = `{"project":"default","process":"decide","title":"Exactly so","variables":{"big":${exact},"version":1.10}}`
    const answer = await fetch(`${rig.url}/api/v1/runs`, {
      method: 'POST',
      headers: { Cookie: rig.cookie, Origin: new URL(rig.url).origin, 'Content-Type': 'application/json' },
      body,
    })
    const { run } = (await answer.json()) as { run: string }
    await rig.api('POST', `/api/v1/runs/${run}/cancel`, { reason: 'once more, please' })
    const { page, context } = await rig.open(`/runs/${run}`)
    await says(page, 'Cancelled')
    await page.getByRole('button', { name: 'Run again' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('You have the right to start').first().waitFor()
    expect(await dialog.getByLabel('Title').inputValue()).toBe('Exactly so')
    await dialog.getByRole('button', { name: 'Start', exact: true }).click()
    await page.waitForURL((u) => !u.pathname.endsWith(run) && u.pathname.startsWith('/runs/'))
    await says(page, 'Waits for a person')
    await page.getByRole('button', { name: 'Cancel run' }).waitFor()
    expect(await page.getByRole('button', { name: 'Run again' }).count(), 'what belongs to the run before').toBe(0)
    const next = new URL(page.url()).pathname.split('/').at(-1)!
    const started = await raw(`/api/v1/runs/${next}/start`)
    expect(started).toContain(`"big":${exact}`)
    expect(started).toContain('"version":1.10')
    expect(started).toContain('"title":"Exactly so"')
    await page.goBack()
    await says(page, 'Cancelled')
    await rig.api('POST', `/api/v1/runs/${next}/cancel`, { reason: 'seen enough' })
    await context.close()
  })
})

describe('a session that ends in the middle of a form', () => {
  it('asks who is there, and nothing was answered', async () => {
    const run = await ask('Release 11')
    const { page, context } = await rig.open(`/runs/${run}`)
    await form(page).getByRole('radio', { name: 'Go on' }).click()
    await context.clearCookies()
    await form(page).getByRole('button', { name: 'Complete', exact: true }).click()
    // Asked over the page, so that the answer that was chosen is still there.
    await page.getByLabel('Password').fill(password)
    expect(await stateOf(run)).toBe('active')
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await says(page, 'Completed')
    await context.close()
  })
})

describe('tasks, runs and home', () => {
  it('show the question with its run, count runs by state, and tell how the day went', async () => {
    const run = await ask('Release 12')
    const { page, context, complaints } = await rig.open('/tasks', looks[1])
    await page.getByRole('radio', { name: 'Stop' }).waitFor()
    await page.getByRole('link', { name: 'Release 12' }).waitFor()
    expect(await faults(page)).toEqual([])
    await page.screenshot({ path: `${shots}/tasks-phone.png` })
    await context.close()
    const wide = await rig.open('/runs')
    await wide.page.getByRole('button', { name: /^Failed\s*1$/ }).click()
    await wide.page.getByRole('link', { name: 'Release 9' }).waitFor()
    expect(new URL(wide.page.url()).searchParams.get('state')).toBe('failed')
    expect(await wide.page.getByRole('link', { name: 'Release 12' }).count()).toBe(0)
    await wide.page.getByRole('link', { name: 'Home' }).first().click()
    await wide.page.getByRole('link', { name: 'Stop or go on?' }).waitFor()
    await wide.page.getByRole('img', { name: /^succeeded: 50 %/ }).waitFor()
    await wide.page.getByRole('link', { name: 'Release 9' }).first().waitFor()
    expect(await faults(wide.page)).toEqual([])
    const room = await wide.page.locator('main').evaluate((m) => m.scrollHeight - m.clientHeight)
    expect(room, 'home fits one screen').toBeLessThanOrEqual(0)
    await wide.page.screenshot({ path: `${shots}/home-day.png` })
    await wide.page.getByRole('link', { name: 'Stop or go on?' }).click()
    await form(wide.page).getByRole('radio', { name: 'Go on' }).click()
    await form(wide.page).getByRole('button', { name: 'Complete', exact: true }).click()
    await says(wide.page, 'Completed')
    expect([...complaints, ...wide.complaints]).toEqual([])
    await rig.api('GET', `/api/v1/runs/${run}`)
    await wide.context.close()
  })
})
