import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { faults, looks, start, type Looks, type Rig } from './rig'

let rig: Rig

/** Creates objects of a type of the configuration database. */
const create = (type: string, rows: Record<string, unknown>[]) => rig.api('POST', `/api/v1/objects/cmdb:${type}`, rows)

/** Keeps a picture of a page for whoever wants to look at it. */
async function picture(page: import('playwright-core').Page, name: string, look: Looks): Promise<void> {
  const dir = process.env.SEXTANT_PICTURES
  if (!dir) return
  mkdirSync(dir, { recursive: true })
  await page.screenshot({ path: join(dir, `${name}-${look.theme}-${look.locale}-${look.width ?? 1440}.png`) })
}

beforeAll(async () => {
  rig = await start()
  await create('object_type', [
    { id: 'room', title_en: 'Room', title_zh: '机房', paging: true },
    { id: 'machine', title_en: 'Machine', title_zh: '机器', paging: true },
    { id: 'system', title_en: 'System', title_zh: '系统', paging: true },
    { id: 'instance', title_en: 'Instance', title_zh: '实例', paging: true },
  ])
  const attribute = (of: string, name: string, type: string, more = {}) => ({
    id: `${of}.${name}`,
    object_type: of,
    name,
    type,
    title: name[0]!.toUpperCase() + name.slice(1),
    ...more,
  })
  await create('object_attribute', [
    attribute('machine', 'name', 'string'),
    attribute('machine', 'room', 'ref', { to: 'cmdb:room', title_zh: '所在机房' }),
    attribute('system', 'name', 'string'),
    attribute('system', 'needs', 'multiref', { to: 'cmdb:system', title_zh: '依赖系统' }),
    attribute('instance', 'system', 'ref', { to: 'cmdb:system', title_zh: '所属系统' }),
    attribute('instance', 'machine', 'ref', { to: 'cmdb:machine', title_zh: '所在机器' }),
  ])
  await rig.api(
    'PATCH',
    '/api/v1/objects/cmdb:object_type',
    ['machine', 'system'].map((id) => ({ id, display: 'name' })),
  )
  await create('room', [{ id: 'north' }, { id: 'alone' }])
  await create(
    'machine',
    ['web-1', 'web-2', 'db-1'].map((id) => ({ id, name: id, room: 'north' })),
  )
  for (const row of [
    { id: 'orders-db', name: 'Orders database' },
    { id: 'stock', name: 'Stock', needs: ['orders-db'] },
    { id: 'shop', name: 'Shop', needs: ['stock', 'orders-db'] },
  ])
    await create('system', [row])
  await create('instance', [
    { id: 'shop-1', system: 'shop', machine: 'web-1' },
    { id: 'shop-2', system: 'shop', machine: 'web-2' },
    { id: 'orders-db-1', system: 'orders-db', machine: 'db-1' },
  ])
})
afterAll(() => rig?.close())

describe('the graph of an object', () => {
  it('shows what hangs together, and leads there with the keyboard alone', async () => {
    const { page, context, complaints } = await rig.open('/objects/cmdb:system/orders-db')
    await page.getByRole('tab', { name: 'Overview' }).focus()
    await page.keyboard.press('ArrowRight')
    await page.getByRole('status').filter({ hasText: '7 objects' }).waitFor()
    await page.locator('.graph [data-object="cmdb:machine/db-1"]').waitFor()
    expect(new URL(page.url()).searchParams.get('view')).toBe('graph')
    expect(await page.locator('.graph .vue-flow__edge').count()).toBe(7)
    await page.locator('.graph [data-object="cmdb:instance/shop-1"]').focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'shop-1' }).waitFor()
    await page.locator('.graph [aria-current=true]').filter({ hasText: 'shop-1' }).waitFor()
    await page.goBack()
    await page.locator('.graph [aria-current=true]').filter({ hasText: 'Orders database' }).waitFor()
    expect(complaints).toEqual([])
    await context.close()
  })

  it('tells the impact: what depends on an object, directly and further', async () => {
    const { page, context } = await rig.open('/objects/cmdb:room/north?view=graph')
    await page.getByText('What depends on it').click()
    await page.getByText('6 objects depend on it').waitFor()
    await page.getByText('3 directly, 3 further away').waitFor()
    await page.getByText('List', { exact: true }).click()
    await page.getByRole('heading', { name: /2 steps away/ }).waitFor()
    await page.getByText('its Machine → web-1').waitFor()
    await page.getByLabel('Distance').selectOption('1')
    await page.getByText('3 objects depend on it').waitFor()
    await page.getByText('What it needs').click()
    await page.getByRole('heading', { name: 'north needs nothing' }).or(page.getByText('north needs nothing')).first().waitFor()
    await context.close()
  })

  it('says so where there is nothing, and where it cannot be told', async () => {
    const { page, context } = await rig.open('/objects/cmdb:room/alone')
    await page.getByRole('tab', { name: 'Relations and impact' }).click()
    await page.getByText('alone has no relations').waitFor()
    await page.route('**/graph?*', (r) =>
      r.fulfill({ status: 500, contentType: 'application/problem+json', body: '{"code":"object.owner","title":"no"}' }),
    )
    await page.getByText('What depends on it').click()
    await page.getByRole('button', { name: 'Try again' }).waitFor()
    await context.close()
  })

  for (const look of looks) {
    it(`is accessible and fits: ${look.theme} ${look.locale} ${look.width ?? 1440}`, async () => {
      for (const [name, path] of Object.entries({
        graph: '/objects/cmdb:system/orders-db?view=graph',
        impact: '/objects/cmdb:room/north?view=graph&along=in',
      })) {
        const { page, context, complaints } = await rig.open(path, look)
        await page.getByRole('tabpanel').getByRole('link').first().waitFor()
        if (look.width) await page.getByRole('radio').nth(3).check({ force: true })
        await page.locator('.graph [aria-current=true]').waitFor()
        await picture(page, name, look)
        expect(await faults(page), name).toEqual([])
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), name).toBeLessThanOrEqual(0)
        await page.getByRole('radio').nth(4).check({ force: true })
        await picture(page, `${name}-list`, look)
        expect(await faults(page), `${name} list`).toEqual([])
        expect(complaints, name).toEqual([])
        await context.close()
      }
    })
  }
})
