import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { start, type Rig } from './rig'

// What people feel, on a machine that is four times slower than this one. The
// machine may be busy with something else, so that the best of a few tries counts.

let rig: Rig
beforeAll(async () => (rig = await start({}, 100_000)), 180_000)
afterAll(() => rig?.close())

interface Felt {
  /** When the largest part was painted, in milliseconds. */
  painted: number
  /** How much the page moved under the reader's eyes. */
  shifted: number
}

const observe = () => {
  const felt = { painted: 0, shifted: 0, slowest: 0 }
  ;(window as unknown as { felt: typeof felt }).felt = felt
  new PerformanceObserver((l) => l.getEntries().forEach((e) => (felt.painted = e.startTime))).observe({ type: 'largest-contentful-paint', buffered: true })
  new PerformanceObserver((l) => l.getEntries().forEach((e) => (felt.shifted += (e as unknown as { hadRecentInput: boolean; value: number }).hadRecentInput ? 0 : (e as unknown as { value: number }).value))).observe({ type: 'layout-shift', buffered: true })
  new PerformanceObserver((l) => l.getEntries().forEach((e) => (felt.slowest = Math.max(felt.slowest, (e as unknown as { interactionId: number }).interactionId ? e.duration : 0)))).observe({ type: 'event', durationThreshold: 16, buffered: true } as PerformanceObserverInit)
}

/** Opens a page on a slow machine, and lets it settle. */
async function slowly(path: string) {
  const context = await rig.browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US' })
  await context.addCookies(rig.cookie.split('; ').map((c) => ({ name: c.slice(0, c.indexOf('=')), value: c.slice(c.indexOf('=') + 1), url: rig.url })))
  await context.addInitScript(observe)
  const page = await context.newPage()
  const cdp = await context.newCDPSession(page)
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 })
  await page.goto(rig.url + path)
  await page.locator('main h1').first().waitFor()
  await page.waitForLoadState('networkidle').catch(() => undefined) // the news stay open
  return { page, context, felt: () => page.evaluate(() => (window as unknown as { felt: Felt & { slowest: number } }).felt) }
}

describe('on a machine four times slower', () => {
  for (const [name, path] of Object.entries({ home: '/', runs: '/runs', processes: '/processes', objects: '/objects', people: '/people' })) {
    it(`${name} is painted within 1.2 s and does not jump`, async () => {
      const tries: Felt[] = []
      for (let i = 0; i < 3 && !tries.some((f) => f.painted < 1200); i++) {
        const { context, felt, page } = await slowly(path)
        await page.waitForTimeout(1500)
        tries.push(await felt())
        await context.close()
      }
      console.log(name, JSON.stringify(tries))
      expect(Math.min(...tries.map((f) => f.painted))).toBeLessThan(1200)
      expect(Math.max(...tries.map((f) => f.shifted))).toBeLessThan(0.05)
    })
  }
})
