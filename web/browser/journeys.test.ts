import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { faults, password, start, type Rig } from './rig'
import { sshd } from './sshd'

// What people come for, from the first page on, against real parts.

let rig: Rig
let host: Awaited<ReturnType<typeof sshd>>
beforeAll(async () => {
  host = await sshd()
  rig = await start()
})
afterAll(async () => {
  await rig?.close()
  await host?.close()
})

async function signIn(name: string, path = '/') {
  const context = await rig.browser.newContext({ viewport: { width: 1280, height: 860 }, locale: 'en-US', reducedMotion: 'reduce' })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (e) => complaints.push(String(e)))
  await page.goto(rig.url + path)
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  return { page, context, complaints }
}

describe('the first run', () => {
  it('is green within three minutes, from the empty platform on', async () => {
    const began = Date.now()
    const { page, context, complaints } = await signIn('admin')
    await page.getByText('The first green run in three minutes').waitFor()
    await page.screenshot({ path: `${inject('shots')}/first-steps.png` })
    expect(await faults(page)).toEqual([])

    await page.getByRole('link', { name: 'A connection' }).click()
    await page.getByRole('button', { name: 'New connection' }).first().click()
    const drawer = page.getByRole('dialog')
    await drawer.getByRole('textbox', { name: 'Name', exact: true }).fill('mine')
    await drawer.getByRole('textbox', { name: 'user', exact: true }).fill(host.user)
    await drawer.getByRole('textbox', { name: 'private_key', exact: true }).fill(host.key)
    await page.screenshot({ path: `${inject('shots')}/first-connection.png` })
    await drawer.getByRole('button', { name: 'Save' }).click()
    await drawer.waitFor({ state: 'detached' })

    await page.getByRole('link', { name: 'Home' }).first().click()
    await page.getByRole('link', { name: 'A host' }).click()
    await page.getByRole('button', { name: 'New', exact: true }).first().click()
    await page.getByRole('button', { name: 'Enter all fields myself' }).click()
    const form = page.getByRole('dialog')
    await form.getByRole('textbox', { name: 'Name', exact: true }).fill('this machine')
    await form.getByRole('textbox', { name: 'Address', exact: true }).fill('127.0.0.1')
    await form.getByRole('textbox', { name: 'SSH port', exact: true }).fill(String(host.port))
    await form.getByRole('textbox', { name: 'Host keys', exact: true }).fill(host.hostKey)
    await form.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('row').getByRole('link', { name: 'this machine' }).click()

    await page.getByRole('button', { name: /Run a script/ }).click()
    const call = page.getByRole('dialog')
    await call.getByLabel('Connection').selectOption('connection/mine')
    await call.getByRole('textbox', { name: /^script$/i }).fill('echo "hello from $(uname -s)"')
    await call.getByText('Changes 1 object').waitFor()
    expect(await faults(page)).toEqual([])
    await page.screenshot({ path: `${inject('shots')}/first-call.png` })
    await call.getByRole('button', { name: 'Call', exact: true }).click()

    await page.getByRole('heading', { level: 1 }).locator('xpath=..').getByText('Completed').waitFor()
    await page.getByRole('heading', { level: 1, name: /^Run a script on/ }).waitFor()
    await page.getByText('hello from Linux').first().waitFor()
    await page.screenshot({ path: `${inject('shots')}/first-run.png` })
    console.log(`the first green run took ${((Date.now() - began) / 1000).toFixed(0)} s of clicks`)
    expect(Date.now() - began).toBeLessThan(180_000)
    expect(complaints).toEqual([])
    await context.close()
  })
})

describe('an object', () => {
  it('is edited, says what is wrong at its field, and remembers what it was', async () => {
    await rig.api('POST', '/api/v1/objects/host:host', [{ id: 'db-1', name: 'db-1', address: '127.0.0.9' }])
    const { page, context, complaints } = await rig.open('/objects/host:host/db-1')
    await page.getByRole('button', { name: 'Edit' }).click()
    const form = page.getByRole('dialog')
    await form.getByRole('textbox', { name: 'SSH port', exact: true }).fill('twenty-two')
    await form.getByRole('button', { name: 'Save' }).click()
    await form.locator('[aria-invalid=true]').first().waitFor()
    expect(await faults(page)).toEqual([])
    await form.getByRole('textbox', { name: 'SSH port', exact: true }).fill('2222')
    await form.getByLabel('Zone').fill('north')
    await form.getByRole('button', { name: 'Save' }).click()
    await form.waitFor({ state: 'detached' })
    await page.getByText('2222').first().waitFor()
    await page.getByText('north').first().waitFor()
    const newest = page.getByRole('listitem').filter({ hasText: 'Changed · admin' }).first()
    await expect.poll(() => newest.getByRole('definition').allTextContents()).toEqual(['–2222', '–north'])
    const note = 'Racks are moved on Sunday; whoever needs the console before asks the people on call.'
    await rig.api('PATCH', '/api/v1/objects/host:host', [{ id: 'db-1', port: 22, zone: note }])
    await expect.poll(() => newest.getByRole('definition').allTextContents(), { message: 'what others change comes by itself' }).toEqual(['222222', `north${note}`])
    await newest.getByRole('button', { name: 'Show all 2 changes' }).click()
    await newest.getByRole('list', { name: 'Changes' }).getByText(note).waitFor()
    expect(await faults(page)).toEqual([])
    // The refusal above is all that the page had to complain of.
    expect(complaints.filter((c) => !c.includes('422'))).toEqual([])
    await context.close()
  })
})

describe('an auditor', () => {
  it('finds who did what, and what was refused', async () => {
    const refused = await fetch(`${rig.url}/api/v1/session`, { method: 'POST', headers: { 'Content-Type': 'application/json', Origin: new URL(rig.url).origin }, body: JSON.stringify({ name: 'mallory', password: 'a guess of many words' }) })
    expect(refused.status).toBe(401)
    await rig.api('POST', '/api/v1/users', { name: 'audrey', password, roles: [{ role: 'auditor', project: 'default' }] })
    const { page, context } = await signIn('audrey', '/audit')
    await page.getByRole('combobox', { name: 'Outcome' }).selectOption('refused')
    await page.getByRole('row').filter({ hasText: 'login/mallory' }).click()
    const drawer = page.getByRole('dialog', { name: 'identity.login' })
    await drawer.getByText('127.0.0.1').waitFor()
    expect(await faults(page)).toEqual([])
    await page.screenshot({ path: `${inject('shots')}/audit-record.png` })
    await page.keyboard.press('Escape')
    await drawer.waitFor({ state: 'detached' })
    expect(new URL(page.url()).searchParams.get('outcome')).toBe('refused')

    await page.getByRole('button', { name: 'Clear' }).click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('admin')
    await page.keyboard.press('Enter')
    await page.getByRole('row').filter({ hasText: 'user/audrey' }).filter({ hasText: 'user.create' }).waitFor()
    // What she did herself goes from the list once the narrowed one is there.
    await page.getByRole('row').filter({ hasText: 'audrey' }).filter({ hasText: 'identity.login' }).waitFor({ state: 'detached' })
    await context.close()
  })
})

describe('a person', () => {
  const ask = `<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="file" targetNamespace="t"><process id="ask" name="Ask" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="q"/><userTask id="q" name="Approve the change"><extensionElements><zeebe:userTask/></extensionElements></userTask><sequenceFlow id="f2" sourceRef="q" targetRef="e"/><endEvent id="e"/></process></definitions>`

  it('is offered nothing that it may not do, and is refused what it tries all the same', async () => {
    const deploy = await fetch(`${rig.url}/api/v1/processes`, { method: 'POST', headers: { Cookie: rig.cookie, Origin: new URL(rig.url).origin, 'Content-Type': 'application/xml' }, body: ask })
    expect(deploy.status).toBe(201)
    const { run } = await rig.api<{ run: string }>('POST', '/api/v1/runs', { project: 'default', process: 'ask', title: 'Change the firewall' })
    await rig.api('POST', '/api/v1/users', { name: 'vic', password, roles: [{ role: 'viewer', project: 'default' }] })
    const { page, context } = await signIn('vic', `/runs/${run}`)
    await page.getByRole('heading', { level: 1, name: 'Change the firewall' }).waitFor()
    await page.getByText('live', { exact: true }).waitFor()
    for (const name of ['Complete', 'Cancel run', 'Stop everything', 'Run again']) expect(await page.getByRole('button', { name }).count(), name).toBe(0)
    for (const name of ['People and roles', 'Connections', 'Audit log']) expect(await page.getByRole('link', { name }).count(), name).toBe(0)
    expect(await faults(page)).toEqual([])
    // Who knows the address of the API gets no further than who has only the buttons.
    const { items } = await rig.api<{ items: { key: string }[] }>('GET', `/api/v1/tasks?run=${run}`)
    const status = await page.evaluate(
      async ([task, run]) => {
        const post = (path: string, body: unknown) => fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }).then((r) => r.status)
        return [await post(`/api/v1/tasks/${task}/complete`, { variables: {} }), await post(`/api/v1/runs/${run}/cancel`, { reason: 'because I can' }), await post('/api/v1/runs', { process: 'ask' })]
      },
      [items[0]!.key, run],
    )
    expect(status).toEqual([403, 403, 403])
    await context.close()

    // A person with the right approves in the inbox, on the telephone.
    await rig.api('POST', '/api/v1/users', { name: 'amy', password, roles: [{ role: 'operator', project: 'default' }] })
    const amy = await signIn('amy', '/tasks')
    await amy.page.setViewportSize({ width: 390, height: 844 })
    await amy.page.getByText('Approve the change').first().waitFor()
    expect(await faults(amy.page)).toEqual([])
    await amy.page.screenshot({ path: `${inject('shots')}/approve-on-a-phone.png` })
    await amy.page.getByRole('button', { name: 'Complete', exact: true }).click()
    await amy.page.getByText('Approve the change is done').waitFor()
    const after = await rig.api<{ state: string }>('GET', `/api/v1/runs/${run}`)
    expect(after.state).toBe('completed')
    await amy.context.close()
  })
})
