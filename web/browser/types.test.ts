import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { faults, looks, password, start, type Looks, type Rig } from './rig'

let rig: Rig

/** Keeps a picture of a page for whoever wants to look at it. */
async function picture(page: Page, name: string, look: Looks): Promise<void> {
  const dir = process.env.SEXTANT_PICTURES
  if (!dir) return
  mkdirSync(dir, { recursive: true })
  await page.screenshot({ path: join(dir, `${name}-${look.theme}-${look.locale}-${look.width ?? 1440}.png`), fullPage: true })
}

interface Type {
  type: string
  title?: Record<string, string>
  display?: string
  attributes: { name: string; type: string; required?: boolean; values?: string[]; to?: string; title?: Record<string, string> }[]
}
const type = async (name: string) => (await rig.api<{ items: Type[] }>('GET', '/api/v1/object-types')).items.find((t) => t.type === name)
const row = (page: Page, name: string) =>
  page.locator('section ol > li').filter({ has: page.getByRole('button', { name: `Remove ${name}`, exact: true }) })

/** What is not there within ten seconds does not come. */
async function open(path: string, look?: Looks) {
  const opened = await rig.open(path, look)
  opened.context.setDefaultTimeout(10_000)
  return opened
}

beforeAll(async () => {
  rig = await start()
  await rig.api('POST', '/api/v1/objects/cmdb:object_type', [{ id: 'site', title_en: 'Site', title_zh: '站点', paging: true }])
  await rig.api('POST', '/api/v1/objects/cmdb:object_attribute', [
    { object_type: 'site', name: 'city', type: 'string', title: 'City', title_zh: '城市', position: 10 },
    { object_type: 'site', name: 'tier', type: 'enum', values: '["gold","silver"]', title: 'Tier', title_zh: '等级', position: 20 },
    { object_type: 'site', name: 'key', type: 'string', secret: true, title: 'Key', title_zh: '密钥', position: 30 },
  ])
  await rig.api('POST', '/api/v1/objects/cmdb:site', [{ id: 'north', city: 'Oslo', tier: 'gold' }])
})
afterAll(() => rig?.close())

describe('the editor of object types', () => {
  it('makes a type with attributes, of which objects can be made at once', async () => {
    const { page, context, complaints } = await open('/objects')
    await page.getByRole('button', { name: 'New object type' }).click()
    await page.getByRole('heading', { level: 1, name: 'New object type' }).waitFor()
    const about = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Type', exact: true }) })
    await about.getByLabel('Name', { exact: false }).first().fill('rack')
    await about.getByLabel('Title (English)').fill('Rack')
    await about.getByLabel('Title (Chinese)').fill('机架')
    await page.getByRole('button', { name: 'Add attribute' }).click()
    const fresh = row(page, 'New attribute')
    await page.keyboard.type('site') // the new line has the focus
    await row(page, 'site').getByLabel('Type').first().selectOption('ref')
    await row(page, 'site').getByRole('combobox', { name: 'Refers to' }).or(row(page, 'site').getByLabel('Refers to')).first().fill('Site')
    await page.getByRole('option', { name: /^Site/ }).first().click()
    expect(await fresh.count()).toBe(0)
    await about.getByLabel('Shown as the name').selectOption('name')
    await page.getByRole('button', { name: 'Create type' }).click()
    await page.getByRole('heading', { level: 1, name: 'Edit Rack' }).waitFor()
    await page.waitForURL('**/object-types/cmdb/rack')
    const rack = await type('rack')
    expect(rack).toMatchObject({ display: 'name', title: { en: 'Rack', zh: '机架' } })
    expect(rack!.attributes.map((a) => `${a.name} ${a.type} ${a.to ?? ''}`.trim())).toEqual([
      'id string',
      'name string',
      'site ref cmdb:site',
      'project string',
    ])
    await rig.api('POST', '/api/v1/objects/cmdb:rack', [{ id: 'r1', name: 'R1', site: 'north' }])
    expect(complaints).toEqual([])
    await context.close()
  })

  it('shows what the server refuses at the field, keeps what was typed, and stores nothing of it', async () => {
    const { page, context } = await open('/object-types/cmdb')
    await page.getByLabel('Name', { exact: false }).first().fill('broken')
    await page.getByRole('button', { name: 'Add attribute' }).click()
    await page.keyboard.type('size')
    await row(page, 'size').getByLabel('Type').first().selectOption('enum')
    await page.getByRole('button', { name: 'Create type' }).click()
    await row(page, 'size').getByText('an enum has values: list them').waitFor()
    expect(await type('broken')).toBeUndefined()
    await row(page, 'size').getByLabel('Values').fill('big\nsmall')
    await page.getByRole('button', { name: 'Create type' }).click()
    await page.getByRole('heading', { level: 1, name: 'Edit broken' }).waitFor()
    expect((await type('broken'))!.attributes.find((a) => a.name === 'size')!.values).toEqual(['big', 'small'])
    await context.close()
  })

  it('changes titles and order, and asks before it is left', async () => {
    const { page, context } = await open('/objects/cmdb:site')
    await page.getByRole('button', { name: 'Edit type' }).click()
    await page.getByRole('heading', { level: 1, name: 'Edit Site' }).waitFor()
    await page.getByRole('button', { name: 'Move Tier up' }).click()
    await row(page, 'Tier').getByRole('button', { name: 'Tier tier' }).click()
    await row(page, 'Tier').getByLabel('Title (English)').fill('Level')
    await page.getByRole('navigation', { name: 'breadcrumb' }).getByRole('link', { name: 'Objects' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByText('The type site is saved').waitFor()
    const site = await type('site')
    expect(site!.attributes.map((a) => a.name)).toEqual(['id', 'tier', 'city', 'key'])
    expect(site!.attributes[1]!.title).toMatchObject({ en: 'Level', zh: '等级' })
    await page.getByRole('navigation', { name: 'breadcrumb' }).getByRole('link', { name: 'Objects' }).click()
    await page.getByRole('heading', { level: 1, name: 'Objects' }).waitFor()
    await context.close()
  })

  it('says what it means to remove something, and the server has the last word', async () => {
    const { page, context } = await open('/object-types/cmdb/site')
    await page.getByRole('button', { name: 'Remove City' }).click()
    await page.getByRole('dialog').getByText('1 object has a value in it').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('alert').filter({ hasText: 'set it to null there first' }).waitFor()
    expect((await type('site'))!.attributes.some((a) => a.name === 'city')).toBe(true)
    await page.getByRole('button', { name: 'Discard' }).click()
    await page.getByRole('button', { name: 'Remove Key' }).click()
    await page.getByRole('dialog').getByText('Whether they have a value in it is secret').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'More' }).click()
    await page.getByRole('menuitem', { name: 'Delete type' }).click()
    await page.getByRole('dialog').getByText('There is 1 object of this type').waitFor()
    await page.getByRole('dialog').getByText('Rack · site').waitFor()
    await page.getByRole('dialog').getByRole('textbox').fill('site')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete type' }).click()
    await page.getByRole('dialog').getByText('there is 1 object of cmdb:site: remove them first').first().waitFor()
    expect(await type('site')).toBeDefined()
    await context.close()
    const free = await open('/object-types/cmdb/broken')
    await free.page.getByRole('button', { name: 'More' }).click()
    await free.page.getByRole('menuitem', { name: 'Delete type' }).click()
    await free.page.getByRole('dialog').getByRole('textbox').fill('broken')
    await free.page.getByRole('dialog').getByRole('button', { name: 'Delete type' }).click()
    await free.page.getByRole('heading', { level: 1, name: 'Objects' }).waitFor()
    expect(await type('broken')).toBeUndefined()
    await free.context.close()
  })

  it('is not offered to those who may not', async () => {
    await rig.api('POST', '/api/v1/users', { name: 'reader', password, roles: [{ role: 'viewer', project: 'default' }] })
    const context = await rig.browser.newContext({ locale: 'en-US' })
    const page = await context.newPage()
    await page.goto(`${rig.url}/sign-in?next=/objects`)
    await page.getByLabel('Name').fill('reader')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('link', { name: /Site/ }).click()
    await page.getByRole('heading', { level: 1, name: 'Site' }).waitFor()
    expect(await page.getByRole('button', { name: 'Edit type' }).count()).toBe(0)
    await page.goto(`${rig.url}/objects`)
    await page.getByRole('link', { name: /Site/ }).waitFor()
    expect(await page.getByRole('button', { name: 'New object type' }).count()).toBe(0)
    await context.close()
  })

  for (const look of looks) {
    it(`is accessible and fits: ${look.theme} ${look.locale} ${look.width ?? 1440}`, async () => {
      const { page, context, complaints } = await open('/object-types/cmdb/site', look)
      await page.locator('section ol > li').nth(1).getByRole('button').first().click()
      await page.locator('section ol > li').nth(1).getByRole('checkbox').first().waitFor()
      await picture(page, 'type', look)
      expect(await faults(page)).toEqual([])
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
      expect(complaints).toEqual([])
      await context.close()
    })
  }
})
