import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { faults, looks, password, start, type Looks, type Rig } from './rig'

let rig: Rig

/** What is not there within ten seconds does not come. */
async function open(path: string, look?: Looks) {
  const opened = await rig.open(path, look)
  opened.context.setDefaultTimeout(10_000)
  return opened
}

/** Keeps a picture of a page for whoever wants to look at it. */
async function picture(page: Page, name: string, look: Looks): Promise<void> {
  const dir = process.env.SEXTANT_PICTURES
  if (!dir) return
  mkdirSync(dir, { recursive: true })
  await page.screenshot({ path: join(dir, `${name}-${look.theme}-${look.locale}-${look.width ?? 1440}.png`) })
}

interface Value {
  name: string
  value: string
  version: number
}
const values = async () =>
  (await rig.api<{ items: Value[] }>('GET', '/api/v1/settings')).items.map((v) => `${v.name}=${v.value} ${v.version}`)

/** Answers as a platform does of which a handler is stuck, which no client of a real one can bring about. */
async function stuck(page: Page): Promise<void> {
  const held = {
    id: 'x',
    type: 'sextant.run.removed.v1',
    subject: 'run/2251799813685249',
    project: 'default',
    time: '2026-11-30T10:00:00Z',
    since: '2026-11-30T10:00:00Z',
  }
  const error = 'unlinkat /srv/sextant/output/2251799813685249: permission denied'
  const handler = {
    says: '',
    types: ['sextant.run.removed.v1'],
    once: false,
    state: 'working',
    sequence: '48210',
    newest: '48210',
    retrying: 0,
    behind: 0,
    parked: 0,
  }
  const items = [
    { ...handler, name: 'run-end', once: true, types: ['sextant.job.stopped.v1'] },
    { ...handler, name: 'run-output', parked: 1, behind: 1, since: held.since, lastError: error },
  ]
  const events = [
    { ...held, sequence: '4711', state: 'parked', tries: 10, error },
    { ...held, sequence: '4712', state: 'behind', tries: 0 },
  ]
  await page.route('**/api/v1/event-handlers', (r) => r.fulfill({ json: { items } }))
  await page.route('**/api/v1/event-handlers/run-output/parked?*', (r) => r.fulfill({ json: { items: events } }))
  await page.route('**/parked/4711/*', (r) => r.fulfill({ status: 204 }))
}

beforeAll(async () => {
  rig = await start({ SEXTANT_ENVIRONMENT: 'staging' })
  await rig.api('PUT', '/api/v1/settings/mirror_url', { value: 'https://mirror.example/debian' })
  await rig.api('PUT', '/api/v1/settings/retention.days', { value: '30' })
})
afterAll(() => rig?.close())

describe('the settings', () => {
  it('sets, changes and deletes values of the project', async () => {
    const { page, context, complaints } = await open('/settings')
    await page.getByRole('button', { name: 'New value' }).click()
    await page.getByRole('textbox', { name: 'Name' }).fill('greeting')
    await page.getByRole('textbox', { name: 'Value' }).fill('hello')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('greeting saved').waitFor()
    await page
      .getByRole('cell', { name: 'hello' })
      .or(page.getByText('hello', { exact: true }))
      .first()
      .click()
    await page.getByRole('textbox', { name: 'Value' }).fill('good morning')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('good morning').waitFor()
    expect(await values()).toContain('greeting=good morning 2')
    await page.getByRole('button', { name: 'Delete greeting' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByText('greeting deleted').waitFor()
    expect((await values()).filter((v) => v.startsWith('greeting'))).toEqual([])
    expect(complaints).toEqual([])
    await context.close()
  })

  it('overwrites nobody who was faster without saying so', async () => {
    const { page, context } = await open('/settings')
    await page.getByText('30', { exact: true }).click()
    await rig.api('PUT', '/api/v1/settings/retention.days', { value: '60' })
    await page.getByRole('textbox', { name: 'Value' }).fill('90')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('alert').filter({ hasText: 'Someone else has saved version 2' }).waitFor()
    await page.getByRole('alert').getByText('60', { exact: true }).waitFor()
    expect(await values()).toContain('retention.days=60 2')
    await page.getByRole('button', { name: 'Overwrite with mine' }).click()
    await page.getByText('retention.days saved').waitFor()
    expect(await values()).toContain('retention.days=90 3')
    await context.close()
  })

  it('tells what the server was started with, and from where', async () => {
    const { page, context } = await open('/settings')
    await page.getByRole('tab', { name: 'This server' }).click()
    const line = (key: string) => page.locator('dl > div').filter({ has: page.getByText(key, { exact: true }) })
    await line('environment').getByText('staging').waitFor()
    await line('environment').getByText('environment', { exact: true }).nth(1).waitFor()
    await line('listen').first().getByText('flag').waitFor()
    await line('log.level').getByText('built in').waitFor()
    await context.close()
  })

  it('tells what is kept, and removes what is old', async () => {
    const { page, context, complaints } = await open('/settings?view=retention')
    const line = (setting: string) => page.locator('li').filter({ has: page.getByText(setting, { exact: true }) })
    await line('retention.events').getByText('30 days').waitFor()
    await line('retention.idempotency').getByText('1 day').waitFor()
    await line('retention.audit').getByText('For ever').waitFor()
    await page.getByRole('button', { name: 'Remove old data now' }).click()
    await page.getByText('Looking for old data').waitFor()
    await line('retention.audit')
      .getByText(/\d+ kept/)
      .waitFor()
    expect(complaints).toEqual([])
    await context.close()
  })

  it('shows what a handler could not do, and skips it with a reason', async () => {
    const { page, context, complaints } = await open('/settings')
    await stuck(page)
    await page.getByRole('tab', { name: 'Event handlers' }).click()
    const first = page.locator('li').filter({ has: page.getByText('run-output', { exact: true }) })
    await first.getByText('Needs action').waitFor()
    const events = first.locator('ul > li')
    await events.nth(0).getByText('10 tries').waitFor()
    expect(await events.count()).toBe(2)
    expect(await events.nth(1).getByRole('button', { name: 'Retry' }).count()).toBe(0)
    const asked = page.waitForRequest((r) => r.method() === 'POST')
    await events.nth(0).getByRole('button', { name: 'Retry' }).click()
    expect((await asked).url()).toMatch(/run-output\/parked\/4711\/retry$/)
    await events.nth(0).getByRole('button', { name: 'Skip' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Reason').fill('removed by hand')
    const skipped = page.waitForRequest((r) => r.method() === 'POST')
    await dialog.getByRole('button', { name: 'Skip' }).click()
    expect((await skipped).postDataJSON()).toEqual({ reason: 'removed by hand' })
    await page.getByText('Event skipped').waitFor()
    expect(complaints).toEqual([])
    await context.close()
  })

  it('shows each what they may see', async () => {
    await rig.api('POST', '/api/v1/users', { name: 'local', password, grants: [{ permission: 'setting.read', project: 'default' }] })
    const context = await rig.browser.newContext({ locale: 'en-US' })
    context.setDefaultTimeout(10_000)
    const page = await context.newPage()
    await page.goto(`${rig.url}/sign-in?next=/settings`)
    await page.getByLabel('Name').fill('local')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('mirror_url').waitFor()
    expect(await page.getByRole('tab').count()).toBe(1)
    expect(await page.getByRole('button', { name: /New value|Delete/ }).count()).toBe(0)
    await context.close()
  })

  for (const look of looks) {
    it(`is accessible and fits: ${look.theme} ${look.locale} ${look.width ?? 1440}`, async () => {
      const pages = {
        settings: ['', 'mirror_url'],
        'settings-server': ['?view=server', 'admin.listen'],
        'settings-retention': ['?view=retention', 'retention.events'],
        'settings-events': ['?view=events', 'run/2251799813685249'],
      }
      for (const [name, [path, text]] of Object.entries(pages)) {
        const { page, context, complaints } = await open('/settings', look)
        await stuck(page)
        if (path) await page.goto(`${rig.url}/settings${path}`)
        await page.getByText(text!, { exact: true }).first().waitFor()
        await picture(page, name, look)
        expect(await faults(page), name).toEqual([])
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), name).toBeLessThanOrEqual(0)
        expect(complaints, name).toEqual([])
        await context.close()
      }
    })
  }
})
