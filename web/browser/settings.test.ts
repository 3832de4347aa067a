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
const values = async () => (await rig.api<{ items: Value[] }>('GET', '/api/v1/settings')).items.map((v) => `${v.name}=${v.value} ${v.version}`)

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
    await page.getByRole('cell', { name: 'hello' }).or(page.getByText('hello', { exact: true })).first().click()
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
      for (const [name, path] of Object.entries({ settings: '/settings', 'settings-server': '/settings?view=server' })) {
        const { page, context, complaints } = await open(path, look)
        await page.getByText(name === 'settings' ? 'mirror_url' : 'admin.listen', { exact: true }).first().waitFor()
        await picture(page, name, look)
        expect(await faults(page), name).toEqual([])
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), name).toBeLessThanOrEqual(0)
        expect(complaints, name).toEqual([])
        await context.close()
      }
    })
  }
})
