import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { counted } from './counted'
import { faults, password, start, type Rig } from './rig'
import { sshd } from './sshd'
import { fresh, stage, type Stage } from './stage'

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
    await expect
      .poll(() => newest.getByRole('definition').allTextContents(), { message: 'what others change comes by itself' })
      .toEqual(['222222', `north${note}`])
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
    const refused = await fetch(`${rig.url}/api/v1/session`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Origin: new URL(rig.url).origin },
      body: JSON.stringify({ name: 'mallory', password: 'a guess of many words' }),
    })
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
    const deploy = await fetch(`${rig.url}/api/v1/processes`, {
      method: 'POST',
      headers: { Cookie: rig.cookie, Origin: new URL(rig.url).origin, 'Content-Type': 'application/xml' },
      body: ask,
    })
    expect(deploy.status).toBe(201)
    const { run } = await rig.api<{ run: string }>('POST', '/api/v1/runs', {
      project: 'default',
      process: 'ask',
      title: 'Change the firewall',
    })
    await rig.api('POST', '/api/v1/users', { name: 'vic', password, roles: [{ role: 'viewer', project: 'default' }] })
    const { page, context } = await signIn('vic', `/runs/${run}`)
    await page.getByRole('heading', { level: 1, name: 'Change the firewall' }).waitFor()
    await page.getByText('live', { exact: true }).waitFor()
    for (const name of ['Complete', 'Cancel run', 'Stop everything', 'Run again'])
      expect(await page.getByRole('button', { name }).count(), name).toBe(0)
    for (const name of ['People and roles', 'Connections', 'Audit log'])
      expect(await page.getByRole('link', { name }).count(), name).toBe(0)
    expect(await faults(page)).toEqual([])
    // Who knows the address of the API gets no further than who has only the buttons.
    const { items } = await rig.api<{ items: { key: string }[] }>('GET', `/api/v1/tasks?run=${run}`)
    const status = await page.evaluate(
      async ([task, run]) => {
        const post = (path: string, body: unknown) =>
          fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }).then((r) => r.status)
        return [
          await post(`/api/v1/tasks/${task}/complete`, { variables: {} }),
          await post(`/api/v1/runs/${run}/cancel`, { reason: 'because I can' }),
          await post('/api/v1/runs', { process: 'ask' }),
        ]
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

// What each way costs from the first page on: presses, and fields that are filled
// in. Whoever makes one longer says here why.
describe('a way from home takes', () => {
  let on: Stage
  beforeAll(async () => {
    on = await stage()
  })
  afterAll(() => on?.close())

  /** Goes a way and tells what it cost. */
  async function way(from: Rig, go: (page: Page, by: ReturnType<typeof counted>) => Promise<void>) {
    const { page, context, complaints } = await from.open('/')
    context.setDefaultTimeout(20_000)
    const by = counted(page)
    await go(page, by)
    expect(complaints.filter((c) => !/\b(412|422)\b/.test(c))).toEqual([])
    await context.close()
    return by.done()
  }
  const says = (page: Page, state: string) =>
    page.getByRole('heading', { level: 1 }).locator('xpath=..').getByText(state, { exact: true }).waitFor()
  const link = (page: Page, name: string | RegExp) => page.locator('main').getByRole('link', { name }).first()
  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).first()

  async function addHost(page: Page, by: ReturnType<typeof counted>) {
    await by.press(button(page, 'New'))
    const form = page.getByRole('dialog')
    await by.fill(form.getByLabel('Address'), `127.0.0.1:${host.port}`)
    await by.fill(form.getByLabel('User'), host.user)
    await by.fill(form.getByLabel('Private key'), host.key)
    await by.press(button(page, 'Connect'))
    await by.press(button(page, 'The keys match'))
    await page.getByText(/is ready: /).waitFor()
    return form
  }

  it('5 presses and 4 fields to the first script on a fresh server', async () => {
    const bare = await start()
    try {
      const cost = await way(bare, async (page, by) => {
        await by.press(link(page, 'A host'))
        const form = await addHost(page, by)
        await by.fill(form.getByLabel('Script'), 'echo "hello from $(uname -s)"')
        await by.press(button(page, 'Run'))
        await page.getByText('hello from Linux').first().waitFor()
      })
      expect(cost).toEqual([5, 4])
    } finally {
      await bare.close()
    }
  })

  it('4 presses and 3 fields to a host with its key, that was tried and whose own key is pinned', async () => {
    const cost = await way(on.rig, async (page, by) => {
      await by.press(link(page, 'Host'))
      await by.press(button(page, 'New'))
      const form = page.getByRole('dialog')
      await by.fill(form.getByLabel('Address'), `127.0.0.1:${host.port}`)
      await form.getByLabel('Log in with').selectOption('+') // one that is there already needs none of these
      await by.fill(form.getByLabel('User'), host.user)
      await by.fill(form.getByLabel('Private key'), host.key)
      await by.press(button(page, 'Connect'))
      await by.press(button(page, 'The keys match'))
      await page.getByText(/is ready: /).waitFor()
    })
    expect(cost).toEqual([4, 3])
  })

  it('5 presses and 1 field to a service on all objects that a filter finds', async () => {
    const cost = await way(on.rig, async (page, by) => {
      await by.press(link(page, /^down\s*22$/))
      await page.getByText('22 in total').waitFor()
      await by.press(page.getByRole('checkbox', { name: 'Select all shown' }))
      await page.getByText('All 22 that match are selected').waitFor()
      await by.press(button(page, 'Actions'))
      await by.press(page.getByRole('menuitem', { name: 'Upgrade' }))
      const call = page.getByRole('dialog', { name: /Upgrade/ })
      await by.fill(call.getByLabel('Version'), '2.6.0')
      await call.getByText('Changes 22 objects').waitFor()
      await by.press(button(page, 'Call'))
      await page.waitForURL('**/runs/*')
      await (await on.next()).end()
      await says(page, 'Completed')
    })
    expect(cost).toEqual([5, 1])
  })

  it('1 press to why the run of last night failed: its object, the code, its last lines', async () => {
    const cost = await way(on.rig, async (page, by) => {
      await by.press(link(page, /^Nightly upgrade/))
      const why = page.getByRole('region', { name: 'The run failed' })
      for (const text of ['web-0031', 'the package 2.4.0 is not signed', 'agent.refused', 'error: the signature does not fit'])
        await why.getByText(text).first().waitFor()
    })
    expect(cost).toEqual([1, 0])
  })

  it('3 presses and 1 field to an answer, with its reason', async () => {
    const cost = await way(on.rig, async (page, by) => {
      await by.press(link(page, 'Stop or go on?'))
      await by.press(page.getByRole('radio', { name: 'Go on' }))
      await by.fill(page.getByLabel('Reason'), 'the balancer is quiet')
      await by.press(button(page, 'Complete'))
      await says(page, 'Completed')
      await page.getByText('the balancer is quiet').waitFor()
    })
    expect(cost).toEqual([3, 1])
  })

  it('1 press to try again what failed of a run', async () => {
    const cost = await way(on.rig, async (page, by) => {
      await page.getByText('the disk is full').first().waitFor()
      await by.press(button(page, 'Try again'))
      const again = await on.next()
      expect(
        again.rows.map((r) => r.callbackParameter),
        'only what failed',
      ).toEqual([on.hosts[32]])
      await again.end()
      await expect.poll(async () => (await on.rig.api<{ state: string }>('GET', `/api/v1/runs/${on.stuck}`)).state).toBe('completed')
    })
    expect(cost).toEqual([1, 0])
  })

  it('2 presses to the end of a run, with a reason', async () => {
    const cost = await way(on.rig, async (page, by) => {
      await by.press(button(page, 'Cancel Upgrade the fleet to 2.4.0'))
      await page.getByText('Stops 1 step').waitFor()
      await by.press(button(page, 'No longer needed'))
      await page.getByRole('dialog').waitFor({ state: 'detached' })
    })
    expect(cost).toEqual([2, 0])
    const decisions = await on.rig.api<{ items: { verb: string; reason: string }[] }>('GET', `/api/v1/runs/${on.going}/decisions`)
    expect(decisions.items.map((d) => [d.verb, d.reason])).toEqual([['run.cancel', 'No longer needed']])
  })

  it('4 presses and 2 fields from a file to its process running on an object', async () => {
    const cost = await way(on.rig, async (page, by) => {
      await by.file(button(page, 'Deploy a file'), 'sweep.bpmn', fresh)
      await by.press(button(page, 'Deploy and start'))
      const dialog = page.getByRole('dialog', { name: /^Start/ })
      await by.fill(dialog.getByRole('combobox', { name: 'Objects' }), 'web-0050')
      await by.press(page.getByRole('option', { name: /web-0050/ }))
      await by.press(dialog.getByRole('button', { name: 'Start', exact: true }))
      await page.waitForURL('**/runs/*')
      await says(page, 'Completed')
    })
    expect(cost).toEqual([4, 2])
  })

  it('4 presses to the rights of a colleague in one environment', async () => {
    const cost = await way(on.rig, async (page, by) => {
      await by.press(page.getByRole('link', { name: 'People and roles' }))
      await by.press(button(page, 'ann'))
      await by.press(page.getByRole('checkbox', { name: 'operator in prod' }))
      expect(await faults(page)).toEqual([])
      await by.press(button(page, 'Save'))
      await page.getByText('operator · default / prod').waitFor()
    })
    expect(cost).toEqual([4, 0])
  })

  it('5 presses and 2 fields to a change over that of somebody else in between', async () => {
    const cost = await way(on.rig, async (page, by) => {
      await by.key('Control+k')
      await by.fill(page.getByRole('combobox', { name: 'Search and commands' }), 'web-0040')
      await page.getByRole('option', { name: /^web-0040/ }).waitFor()
      await by.key('Enter')
      await by.press(button(page, 'Edit'))
      const form = page.getByRole('dialog')
      await by.fill(form.getByLabel('Zone'), 'mine')
      await on.rig.api('PATCH', '/api/v1/objects/host:host', [{ id: 'web-0040', zone: 'theirs', user: 'root' }])
      await by.press(form.getByRole('button', { name: 'Save', exact: true }))
      await form.getByText('Someone else has changed this object').waitFor()
      await by.press(form.getByRole('button', { name: 'Save mine' }))
      await form.waitFor({ state: 'detached' })
    })
    expect(cost).toEqual([5, 2])
    expect(await on.rig.api('GET', '/api/v1/objects/host:host/web-0040')).toMatchObject({ zone: 'mine', user: 'root' })
  })

  it('2 presses to the stop of everything, with a reason, and none of it starts', async () => {
    const cost = await way(on.rig, async (page, by) => {
      await by.press(button(page, 'Stop everything'))
      await by.press(button(page, 'Drill'))
      await page.getByText('Everything is stopped').waitFor()
    })
    expect(cost).toEqual([2, 0])
  })
})
