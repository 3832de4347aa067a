import { it } from 'vitest'
import { start } from './rig'
it('debug', async () => {
  const rig = await start()
  const context = await rig.browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US' })
  await context.addCookies(rig.cookie.split('; ').map((c) => ({ name: c.slice(0, c.indexOf('=')), value: c.slice(c.indexOf('=') + 1), url: rig.url })))
  const page = await context.newPage()
  const cdp = await context.newCDPSession(page)
  await cdp.send('Profiler.enable'); await cdp.send('Profiler.setSamplingInterval', { interval: 200 }); await cdp.send('Profiler.start')
  await page.goto(rig.url + '/people')
  await page.waitForTimeout(3000)
  const { profile } = await cdp.send('Profiler.stop') as any
  const self = new Map<string, number>(), nodes = new Map<number, any>(profile.nodes.map((n: any) => [n.id, n]))
  const parent = new Map<number, number>(); for (const n of profile.nodes) for (const c of n.children ?? []) parent.set(c, n.id)
  const total = new Map<string, number>()
  profile.samples.forEach((id: number, i: number) => { const d = profile.timeDeltas[i] / 1000; const name = (n: any) => `${n.callFrame.functionName || '?'} ${n.callFrame.url.split('/').pop()}:${n.callFrame.lineNumber}:${n.callFrame.columnNumber}`; const n = nodes.get(id); self.set(name(n), (self.get(name(n)) ?? 0) + d); const seen = new Set<string>(); for (let at: any = n; at; at = nodes.get(parent.get(at.id)!)) { const k = name(at); if (!seen.has(k)) { seen.add(k); total.set(k, (total.get(k) ?? 0) + d) } } })
  const top = (m: Map<string, number>) => [...m].sort((a, b) => b[1] - a[1]).slice(0, 28).map(([k, v]) => `${v.toFixed(0)} ${k}`).join('\n')
  console.log('SELF\n' + top(self)); console.log('TOTAL\n' + top(total))
  await context.close(); await rig.close()
}, 60000)
