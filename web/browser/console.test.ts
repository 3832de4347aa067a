import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { faults, password, start, type Rig } from './rig'

const bpmn = (task: string) => `<?xml version="1.0"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:di="http://www.omg.org/spec/DD/20100524/DI" id="file" targetNamespace="t">
<process id="ask" name="Ask a person" isExecutable="true"><startEvent id="s" name="Asked"/><sequenceFlow id="f1" sourceRef="s" targetRef="q"/><userTask id="q" name="${task}"><extensionElements><zeebe:userTask/></extensionElements></userTask><sequenceFlow id="f2" sourceRef="q" targetRef="e"/><endEvent id="e" name="Answered"/></process>
<bpmndi:BPMNDiagram id="d"><bpmndi:BPMNPlane id="p" bpmnElement="ask"><bpmndi:BPMNShape id="ss" bpmnElement="s"><dc:Bounds x="100" y="100" width="36" height="36"/></bpmndi:BPMNShape><bpmndi:BPMNShape id="qs" bpmnElement="q"><dc:Bounds x="200" y="78" width="100" height="80"/></bpmndi:BPMNShape><bpmndi:BPMNShape id="es" bpmnElement="e"><dc:Bounds x="370" y="100" width="36" height="36"/></bpmndi:BPMNShape><bpmndi:BPMNEdge id="e1" bpmnElement="f1"><di:waypoint x="136" y="118"/><di:waypoint x="200" y="118"/></bpmndi:BPMNEdge><bpmndi:BPMNEdge id="e2" bpmnElement="f2"><di:waypoint x="300" y="118"/><di:waypoint x="370" y="118"/></bpmndi:BPMNEdge></bpmndi:BPMNPlane></bpmndi:BPMNDiagram></definitions>`

const evil = '<img src=x onerror=window.hit=1>'

let rig: Rig
let run = ''

beforeAll(async () => {
  rig = await start({ SEXTANT_ENVIRONMENT: 'production' })
  const deploy = await fetch(`${rig.url}/api/v1/processes`, {
    method: 'POST',
    headers: { Cookie: rig.cookie, 'Content-Type': 'application/xml' },
    body: bpmn('Go on?'),
  })
  if (!deploy.ok) throw new Error(await deploy.text())
  run = (await rig.api<{ run: string }>('POST', '/api/v1/runs', { project: 'default', process: 'ask', title: `Ask ${evil}` })).run
})
afterAll(() => rig?.close())

/** A browser that nobody has signed in with. */
async function stranger() {
  const context = await rig.browser.newContext({ locale: 'en-US' })
  return { context, page: await context.newPage() }
}

describe('the console', () => {
  it('lets in who has the password, and nobody else', async () => {
    const { page, context } = await stranger()
    await page.goto(`${rig.url}/runs`)
    await page.getByLabel('Name').fill('admin')
    await page.getByLabel('Password').fill('not this one')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('Wrong name or password.').waitFor()
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/runs')
    expect(await page.evaluate(() => document.cookie)).toBe('') // no script reads the session
    await page.getByRole('button', { name: /Menu of admin/ }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.goto(`${rig.url}/`)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await context.close()
  })

  it('says so where a part of it does not arrive', async () => {
    for (const part of [/boot-/, /\/en-/]) {
      const { page, context } = await stranger()
      await page.route(part, (route) => route.abort())
      await page.goto(`${rig.url}/runs`)
      await page.getByRole('alert').getByText('reload the page').waitFor()
      await context.close()
    }
  })

  it('follows only paths of its own after the sign-in', async () => {
    for (const next of ['https://evil.example/', '//evil.example/', '/\\evil.example', 'javascript:alert(1)']) {
      const { page, context } = await stranger()
      await page.goto(`${rig.url}/sign-in?next=${encodeURIComponent(next)}`)
      await page.getByLabel('Name').fill('admin')
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('heading', { level: 1, name: 'Home' }).waitFor()
      expect(new URL(page.url()).origin).toBe(new URL(rig.url).origin)
      await context.close()
    }
  })

  it('tells on every page what is going on', async () => {
    const { page, context, complaints } = await rig.open('/objects')
    await page.getByRole('button', { name: 'Activity: 1 run in progress' }).click()
    const shown = page.getByRole('dialog', { name: 'Activity' })
    await shown.getByText('No run has ended yet.').waitFor()
    expect(await faults(page, ['region'])).toEqual([])
    await shown.getByRole('link', { name: `Ask ${evil}` }).click()
    await page.getByRole('heading', { level: 1, name: `Ask ${evil}` }).waitFor()
    await shown.waitFor({ state: 'detached' })
    expect(complaints).toEqual([])
    await context.close()
  })

  it('shows a run as it goes on, and what a person answers ends it', async () => {
    const { page, context, complaints } = await rig.open(`/runs/${run}`)
    await page.getByRole('heading', { level: 1, name: `Ask ${evil}` }).waitFor()
    await page.getByText('live', { exact: true }).waitFor()
    await page.locator('.diagram [data-element-id=q].is-waiting').first().waitFor()
    await page.locator('.diagram [data-element-id=s].is-completed').first().waitFor()
    await page.getByText('Admitted for admin').waitFor()
    await page.getByRole('button', { name: 'Add a result' }).click()
    await page.getByPlaceholder('name', { exact: true }).fill('answer')
    await page.getByPlaceholder('value', { exact: true }).fill('"yes"')
    await page.getByRole('button', { name: 'Complete', exact: true }).click()
    await page.locator('h1 + * , h1 ~ *').getByText('Completed').first().waitFor()
    await page.locator('.diagram [data-element-id=e].is-completed').first().waitFor()
    expect(await page.evaluate(() => (window as unknown as { hit?: number }).hit)).toBeUndefined()
    expect(complaints).toEqual([])
    await context.close()
  })

  it('renews its lists by news and asks for nothing in between', async () => {
    const { page, context } = await rig.open('/runs')
    let asked = 0
    await page.getByRole('link', { name: `Ask ${evil}` }).waitFor()
    await page.waitForTimeout(1500) // what happened just before the page was opened is told once
    page.on('request', (r) => (asked += /\/api\/v1\/runs\?/.test(r.url()) ? 1 : 0))
    await page.waitForTimeout(6000)
    expect(asked).toBe(0)
    await rig.api('POST', '/api/v1/runs', { project: 'default', process: 'ask', title: 'The second one' })
    await page.getByRole('link', { name: 'The second one' }).waitFor()
    await context.close()
  })

  it('names production so that nobody overlooks it', async () => {
    const { page, context } = await rig.open('/')
    await page.getByText('production', { exact: true }).waitFor({ timeout: 10_000 })
    await context.close()
  })

  it('finds pages with Ctrl-K and the keyboard alone', async () => {
    const { page, context } = await rig.open('/')
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox').waitFor()
    await page.keyboard.type('audit')
    await page.getByRole('option', { name: 'Audit log' }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Audit log' }).waitFor()

    const chosen = () => page.getByRole('option', { selected: true }).textContent()
    await page.keyboard.press('Control+k')
    await page.keyboard.press('ArrowDown')
    await expect.poll(chosen).toBe('Tasks')
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.keyboard.press('Control+k')
    await expect.poll(chosen, { message: 'it begins anew' }).toBe('Home')
    // Who knows what comes does not wait for it.
    await page.keyboard.type('runs')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor()
    await page.keyboard.press('Control+k')
    await page.keyboard.type('audit')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Audit log' }).waitFor()
    await context.close()
  })

  it('stops everything, says so to everybody, and allows it again', async () => {
    const { page, context } = await rig.open('/')
    await page.getByRole('button', { name: 'Stop everything' }).click()
    await page.getByLabel('Reason').fill('a drill')
    await page.getByRole('dialog').getByRole('button', { name: 'Stop everything' }).click()
    await page.getByText('Everything is stopped').waitFor()
    await page.getByRole('button', { name: 'Allow starts' }).click()
    await page.getByText('Everything is stopped').waitFor({ state: 'detached' })
    await context.close()
  })

  it('tells a user who is disabled within five seconds', async () => {
    const user = await rig.api<{ id: string; version: number }>('POST', '/api/v1/users', {
      name: 'short',
      password,
      roles: [{ role: 'viewer', project: 'default' }],
    })
    const { page, context } = await stranger()
    await page.goto(`${rig.url}/sign-in?next=/runs/${run}`)
    await page.getByLabel('Name').fill('short')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { level: 1, name: `Ask ${evil}` }).waitFor()
    await fetch(`${rig.url}/api/v1/users/${user.id}`, {
      method: 'PATCH',
      headers: { Cookie: rig.cookie, 'Content-Type': 'application/json', 'If-Match': '"1"' },
      body: '{"disabled":true}',
    })
    await page.goto(`${rig.url}/runs`)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor({ timeout: 5000 })
    await context.close()
  })
})

describe('below a path', () => {
  it('works behind a proxy that serves it there', async () => {
    const below = await start({ SEXTANT_BASE: '/ops/sextant' })
    try {
      const { page, context, complaints } = await below.open('/help?page=guide/object-paths.md')
      await page.getByRole('heading', { name: 'Object paths' }).waitFor()
      await page.getByRole('link', { name: 'Home' }).first().click()
      await page.getByRole('heading', { level: 1, name: 'Home' }).waitFor()
      expect(new URL(page.url()).pathname).toBe('/ops/sextant/')
      expect(complaints).toEqual([])
      await context.close()
    } finally {
      await below.close()
    }
  })
})
