import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { connect, deploy, prepare, startFleet, type Job } from './fleet'
import { faults, password, start, type Rig } from './rig'

// What the frame promises for every page: an address shows what it names, a title
// says what that is, and nothing that was typed is lost.

let rig: Rig
let plugin: { close: () => Promise<void> }
let runs: string[] = []
const long = `web-${'很长的名字'.repeat(20)}-${'сервер'.repeat(10)}-${'x'.repeat(36)}`

beforeAll(async () => {
  rig = await start()
  const jobs: Job[] = []
  plugin = await connect(rig, (job) => jobs.push(job))
  const hosts = await prepare(rig, 3, '1')
  await deploy(rig, 'canary', '100%')
  await rig.api('POST', '/api/v1/objects/host:host', [{ id: 'long', name: long, address: '127.2.0.1' }])
  runs = [await startFleet(rig, hosts.slice(0, 1), { version: '1' }), await startFleet(rig, hosts.slice(1, 2), { version: '2' }, 'canary')]
})
afterAll(async () => {
  await plugin?.close()
  await rig?.close()
})

/** Goes to an address as a link does: without a new start of the console. */
const follow = (page: Page, path: string) =>
  page.evaluate((to) => {
    history.pushState(history.state, '', to)
    dispatchEvent(new PopStateEvent('popstate', { state: history.state }))
  }, path)

describe('every page follows its address', () => {
  const walks: Record<string, { from: () => string; to: () => string; shows: string | RegExp; not?: string }> = {
    object: { from: () => '/objects/host:host/web-0001', to: () => '/objects/host:host/web-0002', shows: 'web-0002' },
    'objects of a type': { from: () => '/objects/host:host', to: () => '/objects/cmdb:object_type', shows: 'Object type' },
    process: { from: () => '/processes/fleet', to: () => '/processes/canary', shows: /Upgrade the fleet|canary/ },
    plugin: { from: () => '/plugins/host', to: () => '/plugins/cmdb', shows: 'Configuration database' },
    run: { from: () => `/runs/${runs[0]}`, to: () => `/runs/${runs[1]}`, shows: /Upgrade/ },
  }
  for (const [name, w] of Object.entries(walks)) {
    it(`from one ${name} to another, and back`, async () => {
      const asked: string[] = []
      const { page, context, complaints } = await rig.open(w.from())
      const title = await page.title()
      page.on('request', (r) => asked.push(decodeURIComponent(new URL(r.url()).pathname + new URL(r.url()).search)))
      await follow(page, w.to())
      const id = w.to().split('/').pop()!
      await expect
        .poll(() => asked.some((a) => a.includes(id)) || name === 'objects of a type', { message: 'it asks for what the address names' })
        .toBe(true)
      await page.getByRole('heading', { level: 1, name: w.shows }).first().waitFor()
      if (name === 'run')
        await page
          .locator('main')
          .getByText(/canary/)
          .first()
          .waitFor()
      await page.goBack()
      await expect.poll(() => page.title()).toBe(title)
      expect(complaints).toEqual([])
      await context.close()
    })
  }

  it('through the menu of activity, from run to run', async () => {
    const { page, context } = await rig.open(`/runs/${runs[0]}`)
    await page.locator('main').getByText('fleet', { exact: true }).first().waitFor()
    await page.getByRole('button', { name: /^Activity/ }).click()
    await page.getByRole('dialog', { name: 'Activity' }).locator(`a[href$="${runs[1]}"]`).first().click()
    await page.waitForURL(`**/runs/${runs[1]}`)
    await page.locator('main').getByText('canary', { exact: true }).first().waitFor()
    await context.close()
  })
})

describe('the title of the window', () => {
  it('names the thing and what it belongs to', async () => {
    const { page, context } = await rig.open('/objects/host:host/web-0001')
    await expect.poll(() => page.title()).toBe('web-0001 · Host · Sextant')
    await follow(page, '/plugins/host')
    await expect.poll(() => page.title()).toBe('Hosts · Plugins · Sextant')
    await follow(page, `/runs/${runs[0]}`)
    await expect.poll(() => page.title()).toMatch(/^Upgrade the fleet to 2\.4\.0 · .* · Sextant$/)
    await follow(page, '/runs')
    await expect.poll(() => page.title()).toBe('Runs · Sextant')
    await context.close()
  })
})

describe('a long name', () => {
  for (const width of [390, 1024, 1440]) {
    it(`never runs under a button at ${width}`, async () => {
      const { page, context } = await rig.open('/objects/host:host/long', { width })
      const head = page.locator('main header').first()
      const boxes = await head.locator('h1, button').evaluateAll((all) =>
        all
          .map((e) => e.getBoundingClientRect())
          .filter((r) => r.width)
          .map(({ left, right, top, bottom }) => ({ left, right, top, bottom })),
      )
      const [name, ...buttons] = boxes
      expect(buttons.length).toBeGreaterThan(1)
      for (const b of buttons)
        expect(
          name!.right <= b.left + 1 || name!.left >= b.right - 1 || name!.bottom <= b.top + 1 || name!.top >= b.bottom - 1,
          'they are apart',
        ).toBe(true)
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
      expect(await faults(page)).toEqual([])
      await context.close()
    })
  }
})

describe('what was typed', () => {
  const fill = async (page: Page) => {
    await page.getByRole('button', { name: 'New connection' }).click()
    const form = page.getByRole('dialog')
    await form.getByLabel('Name').first().fill('lab')
    await form.getByLabel('user', { exact: true }).fill('deploy')
    return form
  }

  it('outlives the end of the session', async () => {
    const { page, context } = await rig.open('/connections')
    const form = await fill(page)
    await context.clearCookies()
    await form.getByRole('button', { name: 'Save' }).click()
    const again = page.getByRole('dialog', { name: 'Your session has ended' })
    await again.getByLabel('Password').fill(password)
    await again.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText('lab saved').waitFor()
    expect(
      (await rig.api<{ items: { name: string; fields: { user: string } }[] }>('GET', '/api/v1/connections')).items.find(
        (c) => c.name === 'lab',
      )?.fields.user,
    ).toBe('deploy')
    await context.close()
  })

  it('outlives a connection that is lost', async () => {
    const { page, context } = await rig.open('/connections')
    const form = await fill(page)
    await form.getByLabel('Name').first().fill('lab-2')
    await context.setOffline(true)
    await form.getByRole('button', { name: 'Save' }).click()
    await form.getByRole('alert').waitFor()
    expect(await form.getByLabel('user', { exact: true }).inputValue()).toBe('deploy')
    await context.setOffline(false)
    await form.getByRole('button', { name: 'Save' }).click()
    await page.getByText('lab-2 saved').waitFor()
    await context.close()
  })
})

describe('the palette', () => {
  it('keeps what is pressed before it is there', async () => {
    const { page, context } = await rig.open('/help')
    // It is asked for ahead, and comes once all is typed.
    let typed!: () => void
    const all = new Promise<void>((done) => (typed = done))
    await page.route('**/assets/CommandPalette*', async (r) => {
      await all
      await r.continue()
    })
    await page.keyboard.press('Control+k')
    await page.keyboard.type('web-0003')
    typed()
    await expect.poll(() => page.getByRole('combobox', { name: 'Search and commands' }).inputValue()).toBe('web-0003')
    await context.close()
  })

  it('says what Enter will do, and does it: a script on a host', async () => {
    const { page, context } = await rig.open('/')
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox').fill('run script on web-0002')
    await page.getByRole('option', { name: 'Run a script on web-0002' }).waitFor()
    await page.getByText('Fill in and check before it starts').waitFor()
    await page.keyboard.press('Enter')
    await page
      .getByRole('dialog', { name: /Run a script/ })
      .getByText('web-0002')
      .first()
      .waitFor()
    await context.close()
  })

  it('begins with what was looked at last', async () => {
    const { page, context } = await rig.open('/objects/host:host/web-0003')
    await expect.poll(() => page.title()).toContain('web-0003')
    await page.keyboard.press('Control+k')
    await page.getByRole('option').first().filter({ hasText: 'web-0003' }).waitFor()
    await context.close()
  })
})

describe('a question', () => {
  it('begins at the answer that changes nothing', async () => {
    const { page, context } = await rig.open('/connections')
    await page.getByRole('button', { name: 'Delete lab', exact: true }).click()
    await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('INPUT')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor() // nothing is typed, nothing is deleted
    await context.close()
  })

  it('about stopping says what goes on, and offers to end it too', async () => {
    const { page, context } = await rig.open('/')
    await page.getByRole('button', { name: 'Stop everything' }).click()
    const ask = page.getByRole('dialog', { name: 'Stop everything?' })
    await ask.getByText('2 runs go on until they end.').waitFor()
    expect(await ask.getByRole('radio').first().isChecked()).toBe(true)
    await ask.getByText('Cancel all 2 runs in progress too').click()
    await ask.getByLabel('Reason').fill('a drill')
    await ask.getByRole('button', { name: 'Stop and cancel' }).click()
    await page.getByText('2 runs were cancelled').waitFor()
    for (const run of runs)
      await expect
        .poll(async () => (await rig.api<{ state: string }>('GET', `/api/v1/runs/${run}`)).state)
        .toMatch(/^(cancelled|stopping)$/)
    await page.getByRole('button', { name: 'Allow starts' }).click()
    await context.close()
  })
})

describe('home', () => {
  it('claims nothing where it cannot ask', async () => {
    const { page, context } = await rig.open('/account')
    await page.route(/\/api\/v1\/(tasks|incidents|runs|object-states)/, (r) =>
      r.fulfill({
        status: 503,
        contentType: 'application/problem+json',
        body: '{"status":503,"code":"server.starting","title":"the server starts"}',
      }),
    )
    await page.goto(rig.url)
    await expect.poll(() => page.getByRole('alert').count(), { timeout: 20_000 }).toBeGreaterThanOrEqual(5)
    for (const claim of [
      'Nothing needs your action',
      'No run failed in the last 24 hours.',
      'Nothing is running',
      'No runs yet',
      'No object has a state yet.',
    ])
      expect(await page.getByText(claim).count(), claim).toBe(0)
    expect(await faults(page)).toEqual([])
    await context.close()
  })
})

describe('a plugin that goes away', () => {
  it('is said to be unreachable, since when and why, as soon as somebody needs it', async () => {
    const { page, context } = await rig.open('/plugins')
    const fleet = page.getByRole('listitem').filter({ hasText: 'fleet' })
    await fleet.getByText('Running').waitFor()
    await plugin.close()
    await rig.api('POST', '/api/v1/calls', {
      project: 'default',
      service: 'fleet/agent/upgrade',
      objects: ['host:host/web-0003'],
      variables: { version: '9' },
    })
    await expect
      .poll(async () => (await rig.api<{ state: string }>('GET', '/api/v1/plugins/fleet')).state, { timeout: 20_000 })
      .toBe('unreachable')
    await fleet.getByText('Unreachable').waitFor({ timeout: 10_000 })
    await fleet.getByText(/It does not answer at http/).waitFor()
    await fleet.locator('time').waitFor()
    expect(await faults(page)).toEqual([])
    await fleet.getByRole('link').click()
    await page.getByRole('status').filter({ hasText: 'It does not answer at' }).waitFor()
    await context.close()
  })
})
