import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { faults, program } from './rig'

// The demo as its viewer has it: a release that was rolled back waits for a
// decision, and the good one is asked for once more.

let browser: Browser
let demo: ChildProcess
let dir: string
let url: string
let said = ''

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sextant-demo-'))
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  await new Promise((done) => free.close(done))
  url = `http://127.0.0.1:${port}`
  demo = spawn(inject('program'), ['demo', '--own', '--dir', join(dir, 'demo'), '--listen', `127.0.0.1:${port}`], { cwd: dir })
  await new Promise<void>((ready, failed) => {
    const hear = (text: Buffer) => {
      said += String(text)
      if (said.includes('Ctrl-C')) ready()
    }
    demo.stdout!.on('data', hear)
    demo.stderr!.on('data', hear)
    demo.on('exit', (code) => failed(new Error(`the demo ended with ${code}: ${said.slice(-2000)}`)))
  })
  browser = await chromium.launch({ executablePath: program(), args: ['--headless', '--no-sandbox', '--disable-gpu'] })
}, 120_000)
/** Ends the demo as Ctrl-C does, and waits for its last words. */
async function end(): Promise<void> {
  demo.removeAllListeners('exit')
  if (demo.exitCode === null && demo.kill('SIGINT')) await once(demo, 'exit')
}
afterAll(async () => {
  await browser?.close()
  await end()
  rmSync(dir, { recursive: true, force: true })
})

describe('the demo', () => {
  it('is decided and released once more in the console', async () => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US', reducedMotion: 'reduce' })
    const page = await context.newPage()
    await page.goto(`${url}/runs`)
    await page.getByLabel('Name').fill('admin')
    await page.getByLabel('Password').fill(readFileSync(join(dir, 'demo', 'admin-password.txt'), 'utf8').trim())
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('link', { name: /1\.2\.0-broken/ }).click()
    await page.getByText('Stop or try again?').first().waitFor()
    await page.locator('.diagram .is-caught').first().waitFor()
    await page.screenshot({ path: `${inject('shots')}/demo-rolled-back.png` })
    expect(await faults(page)).toEqual([])
    await page.getByRole('radio', { name: 'Stop' }).click()
    await page.getByRole('button', { name: 'Complete', exact: true }).click()
    await page.getByRole('heading', { level: 1 }).locator('xpath=..').getByText('Failed').waitFor()

    await page.getByRole('link', { name: 'Runs', exact: true }).first().click()
    await page.getByRole('link', { name: /guestbook 1\.1\.0/ }).click()
    await page.getByRole('button', { name: 'Run again' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText(/Changes \d+ objects/).waitFor()
    expect(await dialog.getByRole('textbox', { name: 'version', exact: true }).inputValue()).toBe('1.1.0')
    await page.screenshot({ path: `${inject('shots')}/demo-again.png` })
    expect(await faults(page)).toEqual([])
    const before = page.url()
    await dialog.getByRole('button', { name: 'Start', exact: true }).click()
    await page.waitForURL((u) => u.href !== before && u.pathname.startsWith('/runs/'))
    await page.getByRole('heading', { level: 1 }).locator('xpath=..').getByText('Completed').waitFor({ timeout: 60_000 })
    await page.getByRole('tab', { name: /Objects/ }).click()
    await page.screenshot({ path: `${inject('shots')}/demo-released.png` })
    await context.close()
    await end()
    expect(said).toMatch(/Requests served, failed\s+\d+, 0\b/)
  })
})
