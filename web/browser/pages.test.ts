import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { textsOf } from '../build.texts'
import { connect, deploy, prepare, startFleet, type Job } from './fleet'
import { faults, looks, password, start, type Rig } from './rig'

// Every page in both languages and themes, on a desk and in a hand. The pictures
// stay, to be looked at.

let rig: Rig
let plugin: { close: () => Promise<void> }
const at: Record<string, string> = {}

beforeAll(async () => {
  rig = await start({ SEXTANT_ENVIRONMENT: 'production' })
  const jobs: Job[] = []
  plugin = await connect(rig, (job) => jobs.push(job))
  const hosts = await prepare(rig, 40, '2 50%')
  await deploy(rig, 'canary', '100%')
  const next = async () => {
    while (!jobs.length) await new Promise((soon) => setTimeout(soon, 20))
    return jobs.shift()!
  }
  for (const n of [0, 1, 2]) {
    await startFleet(rig, hosts.slice(n * 4, n * 4 + 4), { version: `2.${n}.0` }, 'canary')
    await (await next()).end()
  }
  await startFleet(rig, hosts.slice(12, 20), { version: '2.4.0' }, 'canary')
  const failing = await next()
  await failing.log('web-0015', 0, 'fetching 2.4.0\n\x1b[31merror:\x1b[0m the signature does not fit\n')
  await failing.end({ 'web-0015': 'the package 2.4.0 is not signed', 'web-0016': 'the package 2.4.0 is not signed' })
  at.run = await startFleet(rig, hosts.slice(20), { version: '2.4.0' })
  await (await next()).end()
  const now = await next()
  for (const [i, r] of now.rows.entries()) await now.progress(r.callbackParameter, (i * 37) % 100)
  at.broken = (await rig.api<{ items: { run: string }[] }>('GET', '/api/v1/incidents')).items[0]!.run
  await rig.api('PUT', '/api/v1/connections/build-server', {
    type: 'ssh',
    environment: 'dev',
    fields: { user: 'deploy', port: 22 },
    secrets: { password: 'not shown' },
  })
  await rig.api('POST', '/api/v1/users', { name: 'ann', password, roles: [{ role: 'operator', project: 'default', environment: 'dev' }] })
  await rig.api('POST', '/api/v1/tokens', { name: 'nightly' })
})
afterAll(async () => {
  await plugin?.close()
  await rig?.close()
})

const pages: Record<string, string> = {
  home: '/',
  runs: '/runs',
  run: '/runs/RUN?tab=targets',
  'run-broken': '/runs/BROKEN',
  incidents: '/incidents',
  tasks: '/tasks',
  processes: '/processes',
  process: '/processes/fleet',
  decisions: '/decisions',
  objects: '/objects',
  'objects-of-a-type': '/objects/host:host',
  object: '/objects/host:host/web-0015',
  plugins: '/plugins',
  plugin: '/plugins/fleet',
  connections: '/connections',
  people: '/people',
  audit: '/audit',
  settings: '/settings',
  account: '/account',
  help: '/help',
}
/** As everywhere, and between a desk and a hand: there the side column becomes a block, and tables have to choose. */
const widths = [...looks, { theme: 'light', locale: 'zh', width: 1024, height: 768 } as const]
/** A key that has no text stands on the page as it is: "help.page.some_thing". */
const nameless = new RegExp(`(?<![\\w./-])(?:${Object.keys(textsOf('en').tree).join('|')})\\.\\w+\\.[\\w.-]+`, 'g')

describe('every page', () => {
  for (const [name, path] of Object.entries(pages)) {
    it(`${name} is accessible, silent and fits`, async () => {
      for (const look of widths) {
        const { page, context, complaints } = await rig.open(path.replace('RUN', at.run!).replace('BROKEN', at.broken!), look)
        await page.waitForLoadState('load')
        await page.locator('[aria-busy=true], .animate-pulse').first().waitFor({ state: 'detached' })
        await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))))
        await page.screenshot({ path: `${inject('shots')}/${name}-${look.locale}-${look.theme}-${look.width}.png` })
        const cut = await page
          .getByRole('grid')
          .evaluateAll((all) => all.filter((g) => g.scrollWidth > g.clientWidth + 1).map((g) => g.getAttribute('aria-label')))
        if (look.width !== 390) expect(cut, `${name} has room for all that it shows at ${look.width}`).toEqual([])
        expect(
          await page.evaluate(() => document.scrollingElement!.scrollWidth - innerWidth),
          `${name} is wider than ${look.width ?? 1440}`,
        ).toBeLessThanOrEqual(0)
        expect(await faults(page), `${name} ${look.locale}`).toEqual([])
        expect(complaints, `${name} ${look.locale}`).toEqual([])
        expect((await page.locator('body').innerText()).match(nameless) ?? [], `${name} ${look.locale} has a text for every key`).toEqual(
          [],
        )
        expect(
          await page.evaluate(() => performance.getEntriesByType('mark').map((m) => m.name)),
          `${name} has a use for what it asks ahead`,
        ).toEqual([])
        await context.close()
      }
    })
  }
})
