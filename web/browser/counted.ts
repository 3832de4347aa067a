import type { Locator, Page } from 'playwright-core'

/** What a person does on a page, counted: presses of the pointer and of shortcuts, and fields that are filled in. */
export function counted(page: Page) {
  const n = { clicks: 0, fields: 0 }
  return {
    done: () => [n.clicks, n.fields] as const,
    /** Forgets what was done so far. */
    anew: () => Object.assign(n, { clicks: 0, fields: 0 }),
    press: async (what: Locator) => {
      n.clicks++
      await what.click()
    },
    key: async (keys: string) => {
      n.clicks++
      await page.keyboard.press(keys)
    },
    fill: async (what: Locator, text: string) => {
      n.fields++
      await what.fill(text)
    },
    choose: async (what: Locator, option: string) => {
      n.fields++
      await what.selectOption(option)
    },
    /** A press that asks for a file, and the file that is chosen: a press and a field. */
    file: async (what: Locator, name: string, text: string) => {
      n.clicks++
      n.fields++
      const asked = page.waitForEvent('filechooser')
      await what.click()
      await (await asked).setFiles({ name, mimeType: 'application/xml', buffer: Buffer.from(text) })
    },
  }
}
