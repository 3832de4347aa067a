import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { faults, looks, start, type Rig } from './rig'
import { sshd } from './sshd'

// A fresh server and a real host: from its address to the output of a script.

let rig: Rig
let host: Awaited<ReturnType<typeof sshd>>
beforeAll(async () => {
  host = await sshd()
  rig = await start()
})
afterAll(async () => {
  await rig?.close()
  await host?.close()
})

describe('a host', () => {
  it('is added in one flow: its key is compared and pinned, its facts are read, its first script runs', async () => {
    const { page, context, complaints } = await rig.open('/objects')
    let clicks = 0
    let fields = 0
    const press = async (name: string | RegExp, role: 'button' | 'link' = 'button') => {
      clicks++
      await page
        .getByRole(role, { name, exact: typeof name === 'string' })
        .first()
        .click()
    }
    const fill = async (label: string, value: string) => {
      fields++
      await page.getByRole('dialog').getByLabel(label, { exact: false }).first().fill(value)
    }
    await press(/^Host /, 'link')
    await press('New')
    await fill('Address', `127.0.0.1:${host.port}`)
    await fill('User', host.user)
    await fill('Private key', host.key)
    expect(await faults(page)).toEqual([])
    await press('Connect')
    await page.getByText('SHA256:').first().waitFor()
    expect(await faults(page)).toEqual([])
    await press('The keys match')
    await page.getByText(/is ready: /).waitFor()
    await fill('Script', 'echo "hello from $(uname -s)"')
    await press('Run')
    await page.waitForURL('**/runs/*')
    const run = page.url().split('/').pop()!
    await expect.poll(async () => (await rig.api<{ state: string }>('GET', `/api/v1/runs/${run}`)).state).toBe('completed')
    const row = (await rig.api<{ items: Record<string, unknown>[] }>('POST', '/api/v1/objects/host:host/query', {})).items[0]!
    expect(row).toMatchObject({ id: '127.0.0.1', name: '127.0.0.1', host_key: host.hostKey, 'state@observed': 'up' })
    expect(row.os).toBeTruthy()
    expect([clicks, fields], 'clicks and fields to the first script').toEqual([5, 4])
    expect(complaints).toEqual([])
    await context.close()
  })

  it('that does not answer keeps what was typed, and can be tried again', async () => {
    const { page, context } = await rig.open('/objects/host:host')
    await page.getByRole('button', { name: 'New', exact: true }).click()
    const form = page.getByRole('dialog')
    await form.getByLabel('Address').fill('127.0.0.1:1')
    await form.getByRole('textbox', { name: 'Name', exact: true }).fill('second')
    await form.getByRole('button', { name: 'Connect' }).click()
    await form.getByRole('alert').waitFor({ timeout: 60_000 })
    await form.getByLabel('Address').fill(`127.0.0.1:${host.port}`)
    await form.getByRole('button', { name: 'Connect' }).click()
    await form.getByText('SHA256:').first().waitFor()
    const { items } = await rig.api<{ items: unknown[] }>('GET', '/api/v1/incidents')
    expect(items, 'a failed attempt waits for nobody').toEqual([])
    const runs = await rig.api<{ items: { state: string; objects: string[]; title: string }[] }>(
      'GET',
      '/api/v1/runs?object=host:host/second',
    )
    expect(
      runs.items.map((r) => r.state),
      'and is not said to have been cancelled',
    ).toEqual(['completed', 'failed'])
    await context.close()
  })

  for (const look of looks) {
    it(`is accessible and fits: ${look.theme} ${look.locale} ${look.width}`, async () => {
      const { page, context } = await rig.open('/objects/host:host', look)
      await page.getByRole('button', { name: look.locale === 'zh' ? '新建' : 'New', exact: true }).click()
      await page.getByRole('dialog').waitFor()
      expect(await faults(page)).toEqual([])
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
      await context.close()
    })
  }
})
