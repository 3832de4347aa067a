import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Page } from 'playwright-core'
import { connect, prepare, startFleet, type Job } from './fleet'
import { faults, looks, password, start, type Rig } from './rig'

// Lists and objects: how many there are, what can be done with all of them, and
// what happens where somebody was faster or holds one.

let rig: Rig
let plugin: { close: () => Promise<void> }
let held = ''
const hosts = 305

beforeAll(async () => {
  rig = await start()
  const jobs: Job[] = []
  plugin = await connect(rig, (job) => jobs.push(job))
  const all = await prepare(rig, hosts, '1')
  const rows = all.map((o, i) => ({ id: o.split('/')[1], port: 1000 + i, 'state@observed': i < 22 ? 'down' : 'up' }))
  await rig.api('PATCH', '/api/v1/objects/host:host', rows)
  held = await startFleet(rig, [all[300]!], { version: '1' })
  await vi.waitFor(
    async () =>
      expect((await rig.api<{ lock?: unknown }>('GET', `/api/v1/locks?object=${encodeURIComponent(all[300]!)}`)).lock).toBeTruthy(),
    10_000,
  )
  await rig.api('POST', '/api/v1/users', { name: 'ann', password, roles: [{ role: 'operator', project: 'default' }] })
})
afterAll(async () => {
  await plugin?.close()
  await rig?.close()
})

const first = (page: Page) => page.getByRole('grid').getByRole('row').nth(1).getByRole('link').textContent()

describe('a list of objects', () => {
  it('tells how many there are, and chooses all that match for any service', async () => {
    const { page, context, complaints } = await rig.open('/objects/host:host')
    await page.getByText(`Showing 100 of ${hosts}`).waitFor()
    await page.getByRole('checkbox', { name: 'Select all shown' }).check()
    await page.getByText('100 selected').waitFor()
    await page.getByRole('button', { name: `Select all ${hosts} that match` }).click()
    await page.getByText(`All ${hosts} that match are selected`).waitFor()
    await page.getByRole('button', { name: 'Actions', exact: true }).click()
    for (const name of ['Run a script', 'Collect facts', 'Upgrade', 'Start a process…'])
      await page.getByRole('menuitem', { name }).waitFor()
    await page.getByRole('menuitem', { name: 'Upgrade' }).click()
    const call = page.getByRole('dialog', { name: /Upgrade/ })
    await call.getByText(`and ${hosts - 12} more`).waitFor()
    await call.getByText(`Changes ${hosts} objects`).waitFor()
    expect(await faults(page)).toEqual([])
    expect(complaints).toEqual([])
    await context.close()
  })

  it('is narrowed by a press on a state, and counts what is left', async () => {
    const { page, context } = await rig.open('/objects/host:host')
    await page.getByRole('button', { name: /^down 22$/ }).click()
    await page.getByText('22 in total').waitFor()
    expect(new URL(page.url()).searchParams.get('state@observed')).toBe('down')
    await page.getByRole('button', { name: /^up 283$/ }).waitFor()
    await page.getByRole('checkbox', { name: 'Select all shown' }).check()
    await page.getByText('All 22 that match are selected').waitFor()
    await context.close()
  })

  it('is ordered by the name, and by numbers', async () => {
    const { page, context } = await rig.open('/objects/host:host')
    await page.getByRole('grid').getByText('web-0001').waitFor()
    await page.getByRole('button', { name: 'Name', exact: true }).click()
    await expect.poll(() => first(page)).toBe('web-0001')
    await page.getByRole('button', { name: 'Name', exact: true }).click()
    await expect.poll(() => first(page)).toBe('web-0305')
    await page.getByRole('button', { name: 'SSH port', exact: true }).click()
    await expect.poll(() => first(page)).toBe('web-0001')
    await context.close()
  })

  it('has numbers under the end of their heads, and its foot in sight', async () => {
    for (const width of [1024, 1440]) {
      const { page, context } = await rig.open('/objects/host:host', { width, height: 800 })
      await page.getByText(`Showing 100 of ${hosts}`).waitFor()
      const head = await page
        .getByRole('columnheader', { name: 'SSH port' })
        .locator('span')
        .first()
        .evaluate((e) => e.getBoundingClientRect().right)
      const cell = await page
        .getByRole('grid')
        .getByText('1000', { exact: true })
        .evaluate((e) => e.getBoundingClientRect().right)
      expect(Math.abs(head - cell)).toBeLessThan(2)
      const more = await page.getByRole('button', { name: 'Load more' }).boundingBox()
      expect(more!.y + more!.height).toBeLessThanOrEqual(800)
      await context.close()
    }
  })
})

describe('a change of an object', () => {
  it('that is based on an old version shows both, and overwrites nothing unseen', async () => {
    const { page, context } = await rig.open('/objects/host:host/web-0100')
    await page.getByRole('button', { name: 'Edit', exact: true }).click()
    const form = page.getByRole('dialog')
    await form.getByLabel('Zone').fill('mine')
    await form.getByLabel('Kernel').fill('6.1')
    await rig.api('PATCH', '/api/v1/objects/host:host', [{ id: 'web-0100', zone: 'theirs', user: 'root' }])
    await form.getByRole('button', { name: 'Save' }).click()
    await form.getByText('Someone else has changed this object').waitFor()
    const line = form.getByRole('row').filter({ hasText: 'Zone' })
    expect((await line.getByRole('cell').allTextContents()).map((t) => t.trim())).toEqual(['–', 'theirs', 'mine'])
    await line.getByText('both changed').waitFor()
    expect(await faults(page)).toEqual([])
    await form.getByRole('button', { name: 'Look over' }).click()
    expect(await form.getByLabel('User').inputValue()).toBe('root')
    expect(await form.getByLabel('Zone').inputValue()).toBe('mine')
    await form.getByRole('button', { name: 'Save' }).click()
    await form.waitFor({ state: 'detached' })
    expect(await rig.api('GET', '/api/v1/objects/host:host/web-0100')).toMatchObject({ zone: 'mine', user: 'root', kernel: '6.1' })
    await context.close()
  })

  it('of what a run holds says whose it is, and is done with a reason by who may', async () => {
    const { page, context } = await rig.open('/objects/host:host/web-0301')
    await page.getByRole('button', { name: 'Edit', exact: true }).click()
    const form = page.getByRole('dialog')
    await form.getByLabel('Zone').fill('urgent')
    await form.getByRole('button', { name: 'Save' }).click()
    const notice = form.getByRole('alert')
    await expect.poll(() => notice.getByRole('link').getAttribute('href')).toContain(held)
    expect(await faults(page)).toEqual([])
    await notice.getByLabel('Reason for overriding the lock').fill('the rack is on fire')
    await form.getByRole('button', { name: 'Save' }).click()
    await form.waitFor({ state: 'detached' })
    expect(await rig.api('GET', '/api/v1/objects/host:host/web-0301')).toMatchObject({ zone: 'urgent' })
    await context.close()
  })

  it('of what a run holds offers no way past to who may not', async () => {
    const context = await rig.browser.newContext({ locale: 'en-US' })
    const page = await context.newPage()
    await page.goto(`${rig.url}/sign-in?next=/objects/host:host/web-0301`)
    await page.getByLabel('Name').fill('ann')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('button', { name: 'Edit', exact: true }).click()
    const form = page.getByRole('dialog')
    await form.getByLabel('Zone').fill('other')
    await form.getByRole('button', { name: 'Save' }).click()
    await form.getByText('Try again when it has ended.').waitFor()
    expect(await form.getByLabel('Reason for overriding the lock').count()).toBe(0)
    await context.close()
  })
})

describe('a page that is forbidden', () => {
  it('says which right is missing and whom to ask, and offers no second try', async () => {
    const { page, context } = await rig.open('/objects/host:host/web-0001')
    await page.route(/\/objects\/host(:|%3A)host\/web-0002\?/, (r) =>
      r.fulfill({
        status: 403,
        contentType: 'application/problem+json',
        body: '{"status":403,"code":"identity.forbidden","title":"no","params":{"permission":"object.read","project":"default","environment":"prod"}}',
      }),
    )
    await page.evaluate(
      () => (history.pushState({}, '', '/objects/host:host/web-0002'), dispatchEvent(new PopStateEvent('popstate', { state: {} }))),
    )
    await page.getByText('Ask an administrator for the right object.read').waitFor()
    expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0)
    await context.close()
  })
})

describe('the page of an object', () => {
  for (const look of [...looks, { theme: 'light' as const, locale: 'en' as const, width: 1024 }]) {
    it(`begins with what the object needs: ${look.theme} ${look.locale} ${look.width}`, async () => {
      await rig.api('PATCH', '/api/v1/objects/host:host', [{ id: 'web-0005', state: 'up' }])
      const { page, context, complaints } = await rig.open('/objects/host:host/web-0005', look)
      const needs = page.getByRole('region', { name: look.locale === 'zh' ? '待我处理' : 'Needs your action' })
      await needs.getByText(look.locale === 'zh' ? '状态：期望 up，实际 down' : 'State: up wanted, down seen').waitFor()
      const tops = await page
        .locator('main section h2')
        .evaluateAll((all) => all.map((h) => [h.textContent!.trim(), h.getBoundingClientRect().top] as const))
      const top = (name: string) => tops.find(([n]) => n === name)![1]
      const zh = look.locale === 'zh'
      expect(top(zh ? '待我处理' : 'Needs your action')).toBeLessThan(top(zh ? '状态' : 'State'))
      expect(top(zh ? '状态' : 'State')).toBeLessThanOrEqual(top(zh ? '可执行操作' : 'Actions'))
      expect(top(zh ? '状态' : 'State')).toBeLessThan(top(zh ? '历史' : 'What happened'))
      expect(await faults(page)).toEqual([])
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
      expect(complaints).toEqual([])
      await context.close()
    })
  }
})
