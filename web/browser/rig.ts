import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { inject } from 'vitest'

export const password = 'a sentence for the tests 7'
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export interface Looks {
  theme?: 'light' | 'dark'
  locale?: 'en' | 'zh'
  width?: number
  height?: number
}

/** Each theme, language and width once: a page that is right in both is right in the others. */
export const looks: Looks[] = [
  { theme: 'light', locale: 'en', width: 1440 },
  { theme: 'dark', locale: 'zh', width: 390, height: 844 },
]

export interface Opened {
  page: Page
  context: BrowserContext
  /** What the page complained of: errors in its console, exceptions, and what its policy refused. */
  complaints: string[]
}

export interface Rig {
  url: string
  browser: Browser
  /** The cookie of a session of the administrator, as a header. */
  cookie: string
  /** Asks the API as the administrator. */
  api: <T>(method: string, path: string, body?: unknown) => Promise<T>
  open: (path: string, looks?: Looks) => Promise<Opened>
  close: () => Promise<void>
}

/** Debian's Chromium without windows, which is what tests need of it; CHROMIUM names another. */
export function program(): string {
  return process.env.CHROMIUM ?? (existsSync('/usr/bin/chromium-headless-shell') ? '/usr/bin/chromium-headless-shell' : '/usr/bin/chromium')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

async function until(what: string, holds: () => Promise<boolean>, ms = 30_000): Promise<void> {
  const end = Date.now() + ms
  while (Date.now() < end) {
    if (await holds().catch(() => false)) return
    await new Promise((next) => setTimeout(next, 100))
  }
  throw new Error(`${what} took too long`)
}

/**
 * Starts a platform with an empty store and a browser with an empty profile.
 * Settings are variables of the server's environment; seed is a number of runs
 * that are over before it starts.
 */
export async function start(settings: Record<string, string> = {}, seed = 0): Promise<Rig> {
  const dir = mkdtempSync(join(tmpdir(), 'sextant-rig-'))
  const address = `127.0.0.1:${await freePort()}`
  const url = `http://${address}${settings.SEXTANT_BASE ?? ''}`
  const said: string[] = []
  let server: ChildProcess | undefined
  const serve = async () => {
    const child = spawn(inject('program'), ['server', '--data', join(dir, 'data'), '--listen', address, '--admin.listen', '127.0.0.1:0'], {
      cwd: dir,
      env: { ...process.env, ...settings, SEXTANT_ADMIN_PASSWORD: password },
    })
    server = child
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => said.push(String(text)))
    await until('the start of the server', async () => {
      if (child.exitCode !== null) throw new Error('ended')
      return (await fetch(`${url}/readyz`)).ok
    })
  }
  const end = async () => {
    if (server?.exitCode === null && server.kill('SIGTERM'))
      await Promise.race([once(server, 'exit'), new Promise((next) => setTimeout(next, 5000))])
    if (server?.exitCode === null) server.kill('SIGKILL')
  }
  const stop = async () => {
    await end()
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    await serve()
    if (seed) {
      await end()
      execFileSync(inject('seed'), ['--data', join(dir, 'data'), '--runs', String(seed)])
      await serve()
    }
    const signed = await fetch(`${url}/api/v1/session`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'admin', password }),
    })
    if (!signed.ok) throw new Error(`signing in: ${signed.status} ${await signed.text()}`)
    const cookie = signed.headers
      .getSetCookie()
      .map((c) => c.split(';')[0]!)
      .join('; ')
    const browser = await chromium.launch({ executablePath: program(), args: flags })
    return {
      url,
      browser,
      cookie,
      api: caller(url, cookie),
      open: opener(url, cookie, browser),
      close: async () => (await browser.close(), await stop()),
    }
  } catch (cause) {
    await stop()
    throw new Error(`${String(cause)}\n${said.join('').slice(-3000)}`, { cause })
  }
}

function caller(url: string, cookie: string): Rig['api'] {
  return async <T>(method: string, path: string, body?: unknown) => {
    const answer = await fetch(url + path, {
      method,
      headers: { Cookie: cookie, Origin: new URL(url).origin, 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json().catch(() => undefined)) as T
  }
}

function opener(url: string, cookie: string, browser: Browser): Rig['open'] {
  return async (path, looks = {}) => {
    const context = await browser.newContext({
      viewport: { width: looks.width ?? 1440, height: looks.height ?? 900 },
      reducedMotion: 'reduce',
      locale: looks.locale === 'zh' ? 'zh-CN' : 'en-US',
    })
    await context.addCookies(cookie.split('; ').map((c) => ({ name: c.slice(0, c.indexOf('=')), value: c.slice(c.indexOf('=') + 1), url })))
    await context.addInitScript(
      ([theme, locale]) => {
        localStorage.setItem('sextant.theme', theme!)
        localStorage.setItem('sextant.locale', locale!)
        document.addEventListener('securitypolicyviolation', (e) =>
          console.error(`policy: ${e.violatedDirective} refused ${e.blockedURI || e.sample}`),
        )
      },
      [looks.theme ?? 'light', looks.locale ?? 'en'],
    )
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (m) => m.type() === 'error' && complaints.push(m.text()))
    page.on('pageerror', (e) => complaints.push(String(e)))
    await page.goto(url + path)
    await page.locator('main h1').first().waitFor()
    return { page, context, complaints }
  }
}

/** What axe finds wrong with a page, or with a part of it, as lines to read, but for the rules that are named. */
export async function faults(page: Page, but: string[] = [], part?: string): Promise<string[]> {
  const axe = new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).disableRules(but)
  const { violations } = await (part ? axe.include(part) : axe).analyze()
  return violations.flatMap((v) =>
    v.nodes.map((n) => `${v.id}: ${n.target.join(' ')} — ${n.failureSummary?.split('\n').slice(1).join('; ').trim() ?? ''}`),
  )
}
