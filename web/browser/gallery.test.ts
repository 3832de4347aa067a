import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { faults, start, type Looks, type Rig } from './rig'

let rig: Rig
beforeAll(async () => void (rig = await start()))
afterAll(() => rig?.close())

/** Waits for the parts that are loaded on their own. */
async function whole(page: Page) {
  await page.locator('#table [role=row]').nth(3).waitFor()
  await page.locator('#editor .cm-content').nth(6).waitFor()
  await page.locator('#log [data-n]').first().waitFor()
  await page.locator('#time canvas').waitFor()
}
const gallery = async (looks: Looks = {}) => {
  const opened = await rig.open('/gallery', looks)
  await whole(opened.page)
  return opened
}
const focused = (page: Page) =>
  page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim() ?? '')

describe('the gallery', () => {
  const looks = (['light', 'dark'] as const).flatMap((theme) => (['en', 'zh'] as const).map((locale) => ({ theme, locale })))
  it.each(looks)('fits on a desk and in a hand, $theme and $locale', async (look) => {
    const { page, context, complaints } = await gallery(look)
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 900 })
      await expect
        .poll(() => page.locator('main').evaluate((m) => m.scrollWidth - m.clientWidth), { message: `sticks out sideways at ${width}` })
        .toBe(0)
    }
    expect(complaints, 'console').toEqual([])
    await context.close()
  })

  // Colours come from the theme, names from the language, the order from the width:
  // each of them is here, as axe takes half a minute for a page of every part.
  it.each([
    { theme: 'light', locale: 'en', width: 1440, height: 6000 },
    { theme: 'dark', locale: 'zh', width: 390, height: 11_000 },
  ] as const)('can be used by all, $theme, $locale and $width wide', async (look) => {
    const { page, context } = await gallery(look)
    expect(await faults(page)).toEqual([])
    await context.close()
  })

  it('has no fault with a dialog, a menu or a list open', async () => {
    const { page, context, complaints } = await gallery()
    for (const open of ['[data-test=dialog]', '[data-test=confirm]']) {
      await page.locator(open).click()
      await page.getByRole('dialog').waitFor()
      expect(await faults(page), open).toEqual([])
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
    }
    await page.getByRole('button', { name: 'Menu', exact: true }).click()
    await page.getByRole('menuitem', { name: 'Duplicate' }).waitFor()
    expect(await faults(page, [], '[role=menu]:popover-open'), 'menu').toEqual([])
    await page.keyboard.press('Escape')
    await page.getByRole('combobox', { name: 'One host' }).click()
    await page.getByRole('option', { name: /api-00001/ }).waitFor()
    // A list that belongs to a field stands at the end of the page, outside of its landmarks.
    expect(await faults(page, ['region']), 'combobox').toEqual([])
    expect(complaints).toEqual([])
    await context.close()
  })
})

describe('the keyboard', () => {
  it('walks through a table of a hundred thousand rows', async () => {
    const { page, context } = await gallery()
    const grid = page.getByRole('grid', { name: 'Hosts', exact: true })
    await grid.focus()
    const active = () =>
      grid.evaluate((g) => document.getElementById(g.getAttribute('aria-activedescendant') ?? '')?.getAttribute('aria-rowindex'))
    expect(await active()).toBe('2')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press(' ')
    await page.keyboard.press('Shift+ArrowDown')
    expect(await grid.locator('[role=row][aria-selected=true]').count()).toBe(2)
    await page.keyboard.press('End')
    await expect.poll(active).toBe('100001')
    expect(await grid.locator('[role=row]').count()).toBeLessThan(60)
    await page.keyboard.press('Home')
    await expect.poll(active).toBe('2')
    await page.keyboard.press('Escape')
    expect(await grid.locator('[role=row][aria-selected=true]').count()).toBe(0)
    await page.keyboard.press('Enter')
    await page.waitForURL(/host=h1(&|$)/)
    await context.close()
  })

  it('sorts and filters, and the address says so', async () => {
    const { page, context } = await gallery()
    await page.getByPlaceholder('Search 100,000 hosts').fill('db-0001')
    await page.waitForURL(/q=db-0001/)
    const head = page.getByRole('grid', { name: 'Hosts', exact: true }).getByRole('button', { name: 'CPU' })
    await head.focus()
    await page.keyboard.press('Enter')
    await page.keyboard.press('Enter')
    await page.waitForURL(/sort=-cpu/)
    await page.reload()
    await whole(page)
    expect(await page.getByPlaceholder('Search 100,000 hosts').inputValue()).toBe('db-0001')
    expect(await page.getByRole('columnheader', { name: 'CPU' }).first().getAttribute('aria-sort')).toBe('descending')
    await context.close()
  })

  it('opens a row aside with the middle button', async () => {
    const { page, context } = await gallery()
    const link = page.getByRole('grid', { name: 'Hosts', exact: true }).getByRole('link').first()
    expect(await link.getAttribute('href')).toContain('/gallery?host=')
    const [aside] = await Promise.all([context.waitForEvent('page'), link.click({ button: 'middle' })])
    await aside.waitForURL(/host=/)
    await context.close()
  })

  it('chooses in a combobox', async () => {
    const { page, context } = await gallery()
    const box = page.getByRole('combobox', { name: 'One host' })
    await box.focus()
    await page.keyboard.type('db-0001')
    await page.getByRole('option', { name: /db-00012/ }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await expect.poll(() => box.inputValue()).toMatch(/^db-0001\d$/)
    const asked = page.getByRole('combobox', { name: 'Asked of the server' })
    await asked.focus()
    await page.keyboard.type('cache')
    await page.getByRole('option', { name: /cache-00003/ }).click()
    await expect.poll(() => asked.inputValue()).toBe('cache-00003')
    const several = page.getByRole('combobox', { name: 'Several' })
    await several.focus()
    await page.keyboard.press('Backspace')
    await expect.poll(() => page.getByRole('button', { name: /Remove cache/ }).count()).toBe(1)
    await context.close()
  })

  it('stays in a dialog and comes back from it', async () => {
    const { page, context } = await gallery()
    await page.locator('[data-test=confirm]').focus()
    await page.keyboard.press('Enter')
    const go = page.getByRole('button', { name: 'Delete for good' })
    expect(await go.isDisabled()).toBe(true)
    await page.getByLabel(/Type “production”/).fill('production')
    expect(await go.isEnabled()).toBe(true)
    for (let i = 0; i < 8; i++) {
      await page.keyboard.press('Tab')
      expect(await page.evaluate(() => !!document.activeElement?.closest('[role=dialog]'))).toBe(true)
    }
    await page.keyboard.press('Escape')
    await expect.poll(() => focused(page)).toBe('Delete…')
    await context.close()
  })

  it.each(['Enter', 'ArrowDown', 'a click'])('walks through a menu that %s opened', async (how) => {
    const { page, context } = await gallery()
    const button = page.getByRole('button', { name: 'Menu', exact: true })
    if (how === 'a click') await button.click()
    else {
      await button.focus()
      await page.keyboard.press(how)
    }
    const at = (name: string) => expect.poll(() => focused(page)).toMatch(new RegExp(`^${name}`))
    await at('Edit')
    const [above, below] = [(await button.boundingBox())!, (await page.getByRole('menu').boundingBox())!]
    expect([below.x, below.y > above.y], 'stands at its button').toEqual([above.x, true])
    for (const [key, name] of [
      ['ArrowDown', 'Duplicate'],
      ['ArrowDown', 'Delete'],
      ['ArrowDown', 'Edit'],
      ['End', 'Delete'],
      ['d', 'Duplicate'],
    ] as const) {
      await page.keyboard.press(key)
      await at(name)
    }
    await page.keyboard.press('Escape')
    await page.getByRole('menu').waitFor({ state: 'hidden' })
    await at('Menu')
    await context.close()
  })

  it('walks through matrix, timeline and output', async () => {
    const { page, context } = await gallery()
    const matrix = page.getByRole('listbox', { name: 'Hosts of the rollout' })
    await matrix.focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    await expect.poll(() => matrix.getByRole('option').textContent()).toContain('web-00001')
    const line = page.getByRole('listbox', { name: 'Steps over time' })
    await line.focus()
    await page.keyboard.press('End')
    await expect.poll(() => line.locator('[aria-selected=true]').getAttribute('aria-posinset')).toBe('1000')
    const log = page.locator('[data-test=log]').getByRole('log')
    await log.focus()
    await page.keyboard.press('Home')
    await expect.poll(() => log.locator('[data-n]').first().textContent()).toBe('1')
    await context.close()
  })
})

describe('the editor', () => {
  it('is styled under the policy, completes, and lets the tab key go', async () => {
    const { page, context, complaints } = await gallery()
    const content = page.locator('[data-test=feel] .cm-content')
    expect(await content.evaluate((c) => getComputedStyle(c.closest('.cm-editor')!.querySelector('.cm-scroller')!).display)).toBe('flex')
    await content.click()
    await page.keyboard.press('ControlOrMeta+End')
    await page.keyboard.type('\nord')
    await page.getByRole('option', { name: /order total/ }).waitFor()
    await page.keyboard.press('Enter')
    await expect.poll(() => content.textContent()).toContain('order total')
    await page.keyboard.press('Tab')
    await expect.poll(() => page.locator('[data-test=feel] .cm-focused').count()).toBe(0)
    expect(complaints).toEqual([])
    await context.close()
  })
})

describe('output', () => {
  it('of a million lines is found, followed and linked', async () => {
    const { page, context, complaints } = await gallery()
    const log = page.locator('[data-test=log]')
    await page.locator('[data-test=million]').click()
    await log.getByText('1,001,003 lines').waitFor()
    await expect.poll(() => log.locator('[data-n]').last().textContent()).toBe('1001003')
    await log.getByRole('log').focus()
    await page.keyboard.press('Home')
    await expect.poll(() => log.locator('[data-n]').first().textContent()).toBe('1')
    await log.getByPlaceholder('Search the output').fill('step 999 finished')
    await page.keyboard.press('Enter')
    await log.locator('mark').first().waitFor()
    await log.locator('[data-n]').nth(1).click()
    await log.getByRole('button', { name: 'Copy selected lines' }).waitFor()
    const before = await page.evaluate(() => performance.now())
    for (let i = 0; i < 20; i++) await log.getByRole('log').evaluate((el, at) => (el.scrollTop = (el.scrollHeight * at) / 20), i)
    console.info(`twenty places in a million lines in ${Math.round((await page.evaluate(() => performance.now())) - before)} ms`)
    expect(complaints).toEqual([])
    await context.close()
  })
})
