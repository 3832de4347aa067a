import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { faults, start, type Rig } from './rig'
import { sshd } from './sshd'

let rig: Rig
let host: Awaited<ReturnType<typeof sshd>>
const dir = mkdtempSync(join(tmpdir(), 'sextant-output-'))
beforeAll(async () => {
  host = await sshd()
  rig = await start({ SEXTANT_OUTPUT_JOB: '2' })
  const answer = await fetch(`${rig.url}/api/v1/processes`, {
    method: 'POST',
    headers: { Cookie: rig.cookie, Origin: new URL(rig.url).origin, 'Content-Type': 'application/xml' },
    body: process,
  })
  if (!answer.ok) throw new Error(await answer.text())
  await rig.api('PUT', '/api/v1/connections/mine', { type: 'ssh', fields: { user: host.user }, secrets: { private_key: host.key } })
  await rig.api('POST', '/api/v1/objects/host:host', [{ id: 'h1', name: 'h1', address: `127.0.0.1:${host.port}`, host_key: host.hostKey }])
})
afterAll(async () => {
  await rig?.close()
  await host?.close()
  rmSync(dir, { recursive: true })
})

/** A process of one step that runs a script. */
const process = `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="urn:t"><process id="talk" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="w"/><serviceTask id="w" name="Talk"><extensionElements><zeebe:taskDefinition type="plugin:host/script/run"/></extensionElements></serviceTask><sequenceFlow id="f2" sourceRef="w" targetRef="e"/><endEvent id="e"/></process></definitions>`

/** Runs a script as the step of a process and gives its run. */
async function run(script: string): Promise<string> {
  return (
    await rig.api<{ run: string }>('POST', '/api/v1/runs', {
      process: 'talk',
      objects: ['host:host/h1'],
      variables: { script, credential: 'connection/mine' },
    })
  ).run
}

describe('the output of a script', () => {
  it('stands on the run page while it comes, its newest lines', async () => {
    const go = join(dir, 'go')
    const end = join(dir, 'end')
    const { page, context, complaints } = await rig.open(
      `/runs/${await run(`seq 1 50000; echo waiting; while [ ! -f ${go} ]; do sleep 0.1; done; echo gone on; while [ ! -f ${end} ]; do sleep 0.1; done`)}`,
    )
    const tail = page.locator('pre[aria-label="Newest output"]')
    await tail.getByText('waiting', { exact: true }).waitFor()
    expect(await tail.locator('span').allInnerTexts()).toEqual(['49997', '49998', '49999', '50000', 'waiting'])
    writeFileSync(go, '')
    await tail.getByText('gone on', { exact: true }).waitFor()
    expect(await tail.locator('span').allInnerTexts()).toEqual(['49998', '49999', '50000', 'waiting', 'gone on'])
    expect(await faults(page)).toEqual([])
    await page.screenshot({ path: `${inject('shots')}/run-output.png` })
    writeFileSync(end, '')
    await tail.waitFor({ state: 'detached' }) // what it said stands with its step now
    expect(complaints).toEqual([])
    await context.close()
  })

  it('shows its newest lines where the step is looked at, and the whole text tells what passed the limit', async () => {
    const over = join(dir, 'over')
    const { page, context, complaints } = await rig.open(`/runs/${await run(`seq 1 700000; while [ ! -f ${over} ]; do sleep 0.1; done`)}`)
    await page.locator('pre[aria-label="Newest output"]').getByText('700000', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Open the output' }).click()
    const log = page.getByRole('dialog').getByRole('log')
    await log.getByText('700000', { exact: true }).first().waitFor()
    // What lies before these lines is a link to the whole, in which each byte is kept or told as missing.
    const whole = await page.getByRole('dialog').getByRole('link', { name: /bytes/ }).getAttribute('href')
    const text = await page.evaluate(async (href) => (await fetch(href)).text(), whole!)
    const [sentence, missing] = /^── (\d+) bytes .*are missing here.*\n/m.exec(text)!
    expect(text.length - sentence!.length + Number(missing)).toBe(4_788_895)
    writeFileSync(over, '')
    expect(complaints).toEqual([])
    await context.close()
  })
})
