import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { faults, looks, start, type Rig } from './rig'

// Decisions and what waits for messages and signals, as people meet them.

const examples = join(import.meta.dirname, '../../examples/decisions')
const risk = readFileSync(join(examples, 'change-risk.dmn'), 'utf8')
const change = { Change: { environment: 'prod', tier: 1, objects: 3, 'can roll back': true }, Start: '2026-03-03T09:30:00' }
/** Asks a decision, then waits for a payment; a signal is heard meanwhile. */
const pay = `<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="file" targetNamespace="t">
<message id="paid" name="paid"><extensionElements><zeebe:subscription correlationKey="=order"/></extensionElements></message><signal id="maintenance" name="maintenance"/>
<process id="pay" name="Pay and deliver" isExecutable="true">
<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="rate"/>
<businessRuleTask id="rate" name="Rate the risk"><extensionElements><zeebe:calledDecision decisionId="risk" resultVariable="rated"/></extensionElements></businessRuleTask><sequenceFlow id="f2" sourceRef="rate" targetRef="hand"/>
<manualTask id="hand" name="Pack it"/><sequenceFlow id="f3" sourceRef="hand" targetRef="wait"/>
<intermediateCatchEvent id="wait" name="The payment"><messageEventDefinition messageRef="paid"/></intermediateCatchEvent><sequenceFlow id="f4" sourceRef="wait" targetRef="e"/><endEvent id="e"/>
<subProcess id="pause" name="Pause" triggeredByEvent="true"><startEvent id="heard" isInterrupting="false"><signalEventDefinition signalRef="maintenance"/></startEvent><sequenceFlow id="p1" sourceRef="heard" targetRef="pe"/><endEvent id="pe"/></subProcess>
</process></definitions>`

let rig: Rig
beforeAll(async () => {
  rig = await start()
})
afterAll(() => rig?.close())

async function send(path: string, xml: string) {
  const answer = await fetch(`${rig.url}${path}`, {
    method: 'POST',
    headers: { Cookie: rig.cookie, Origin: new URL(rig.url).origin, 'Content-Type': 'application/xml' },
    body: xml,
  })
  if (!answer.ok) throw new Error(await answer.text())
}
const pick = (page: Page, name: string, text: string, at = 'page') => {
  const input = at === 'page' ? page.locator('main input[type=file]') : page.getByRole('dialog').locator('input[type=file]')
  return input.setInputFiles({ name, mimeType: 'application/xml', buffer: Buffer.from(text) })
}
/** Fills in the inputs of the example, which are called the same in every language. */
async function fill(page: Page, environment: string) {
  const form = page
    .getByRole('group')
    .filter({ has: page.getByLabel('environment') })
    .first()
  await form.getByLabel('environment').selectOption({ label: environment })
  await form.getByLabel('tier').selectOption({ label: '1' })
  await form.getByLabel('objects').fill('3')
  await form.getByLabel('can roll back').selectOption({ label: 'true' })
  await form.getByLabel('Start').fill('2026-03-03T09:30:00')
}
const settled = async (page: Page) => {
  await page.locator('[aria-busy=true], .animate-pulse').first().waitFor({ state: 'detached' })
  expect(
    await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
    'the page is no wider than its window',
  ).toBeLessThanOrEqual(0)
}

describe('decisions', () => {
  it('are deployed from a file, chosen or dropped, and refused with each line at fault', async () => {
    const { page, context, complaints } = await rig.open('/decisions')
    await page.getByText('No decisions yet').waitFor()
    await page.screenshot({ path: `${inject('shots')}/decisions-empty.png` })
    const broken = risk.replace('<text>Change.environment</text>', '<text>Change.environment +</text>')
    await pick(page, 'broken.dmn', broken)
    const dialog = page.getByRole('dialog')
    await dialog.getByText('broken.dmn').waitFor()
    await dialog.getByRole('button', { name: 'Deploy', exact: true }).click()
    await dialog.getByRole('alert').filter({ hasText: 'Refused: 1 problem' }).waitFor()
    const line = broken.split('\n').findIndex((l) => l.includes('Change.environment +')) + 1
    await dialog.getByText(new RegExp(`^line ${line}:\\d+$`)).waitFor()
    await dialog.getByText('Change.environment +').first().waitFor()
    expect(await faults(page)).toEqual([])
    await page.screenshot({ path: `${inject('shots')}/decisions-refused.png` })

    await pick(page, 'change-risk.dmn', risk, 'dialog')
    await dialog.getByText('change-risk.dmn').waitFor()
    await dialog.getByRole('button', { name: 'Deploy', exact: true }).click()
    await dialog.getByText('3 decisions deployed').waitFor()
    await dialog.getByRole('link', { name: 'Risk' }).click()
    await page.getByRole('heading', { level: 1, name: 'Risk' }).waitFor()
    await page.getByText('Version 1 (newest)').waitFor()

    // What is dropped on the list goes the same way.
    await page.getByRole('navigation', { name: 'breadcrumb' }).getByRole('link', { name: 'Decisions' }).click()
    const row = page.getByRole('row').filter({ hasText: 'busyHours' })
    await row.getByText('v1').waitFor()
    const data = await page.evaluateHandle(
      (text) => {
        const all = new DataTransfer()
        all.items.add(new File([text], 'dropped.dmn', { type: 'application/xml' }))
        return all
      },
      risk.replace('Nothing speaks against it.', 'All is well.'),
    )
    await page.getByRole('grid', { name: 'Decisions' }).dispatchEvent('drop', { dataTransfer: data })
    await dialog.getByText('dropped.dmn').waitFor()
    await dialog.getByRole('button', { name: 'Deploy', exact: true }).click()
    await dialog.getByText('3 decisions deployed').waitFor()
    await dialog.getByRole('button', { name: 'Close' }).last().click()
    await row.getByText('v2').waitFor()
    expect(complaints.filter((c) => !c.includes('422'))).toEqual([])
    await context.close()
  })

  it('are found by the palette and in the menu', async () => {
    const { page, context } = await rig.open('/')
    await page.keyboard.press('Control+k')
    await page.keyboard.type('approv')
    await page.getByRole('option', { name: /Approval/ }).click()
    await page.getByRole('heading', { level: 1, name: 'Approval' }).waitFor()
    await page.getByRole('navigation', { name: 'Main menu' }).getByRole('link', { name: 'Decisions' }).click()
    await page.getByRole('heading', { level: 1, name: 'Decisions' }).waitFor()
    await context.close()
  })

  it('show their tables, and which rules match what is tried', async () => {
    const { page, context, complaints } = await rig.open('/decisions/approval')
    const table = page.getByRole('region', { name: 'Risk' })
    await expect.poll(() => table.getByRole('row').count()).toBe(7)
    await page.getByRole('heading', { level: 2, name: 'is busy' }).waitFor()
    await page.getByText('is busy(moment: Start)').waitFor()
    const form = page.getByRole('group', { name: 'Inputs' })
    await fill(page, 'prod')
    await page.getByRole('button', { name: 'Evaluate' }).click()
    await page.getByRole('tree', { name: 'Value' }).getByText('"change-board"').waitFor()
    expect(await table.locator('tr[data-matched]').getByRole('rowheader').allTextContents()).toEqual(['2', '4'])
    expect(
      await page.getByRole('region', { name: 'Approval' }).locator('tr[data-matched]').getByRole('rowheader').allTextContents(),
    ).toEqual(['3'])
    await page.getByText('Rule 2 · The core is touched while people work.').waitFor()
    expect(await faults(page)).toEqual([])

    // Another input is another question: what was said of the last stands no more.
    await form.getByLabel('environment').selectOption({ label: 'dev' })
    await expect.poll(() => page.locator('tr[data-matched]').count()).toBe(0)
    await page.getByRole('button', { name: 'Evaluate' }).click()
    await expect.poll(() => table.locator('tr[data-matched]').getByRole('rowheader').allTextContents()).toEqual(['6'])
    await page.getByText('All is well.').first().waitFor()

    await page.getByRole('button', { name: /^v1/ }).click()
    await page.getByText('Version 1 (older)').waitFor()
    await table.getByText('Nothing speaks against it.').waitFor()
    expect(new URL(page.url()).searchParams.get('version')).toBe('1')
    expect(complaints).toEqual([])
    await context.close()
  })

  for (const look of [
    ...looks,
    { theme: 'dark', locale: 'en', width: 1440 } as const,
    { theme: 'light', locale: 'zh', width: 390, height: 844 } as const,
  ])
    it(`are seen in ${look.locale}, ${look.theme}, at ${look.width}`, async () => {
      for (const [name, path] of [
        ['decisions', '/decisions'],
        ['decision', '/decisions/risk'],
      ] as const) {
        const { page, context, complaints } = await rig.open(path, look)
        await settled(page)
        if (name === 'decision') {
          await fill(page, 'prod')
          await page.getByRole('button', { name: look.locale === 'zh' ? '计算' : 'Evaluate' }).click()
          await page.locator('tr[data-matched]').first().waitFor()
        }
        expect(await faults(page)).toEqual([])
        await page.evaluate(() => document.querySelector('main')?.scrollTo(0, 0))
        await page.screenshot({ path: `${inject('shots')}/${name}-${look.locale}-${look.theme}-${look.width}.png` })
        if (name === 'decision' && look.width === 390) {
          await page.getByRole('button', { name: '计算' }).scrollIntoViewIfNeeded()
          await page.screenshot({ path: `${inject('shots')}/${name}-try-${look.locale}-${look.theme}-${look.width}.png` })
        }
        expect(complaints).toEqual([])
        await context.close()
      }
    })
})

describe('a run that waits', () => {
  let run: string
  const begin = async (order: string) =>
    (
      await rig.api<{ run: string }>('POST', '/api/v1/runs', {
        project: 'default',
        process: 'pay',
        title: `Order ${order}`,
        variables: { ...change, order },
      })
    ).run
  beforeAll(async () => {
    await send('/api/v1/decisions', risk)
    await send('/api/v1/processes', pay)
    run = await begin('A-7')
  })

  for (const look of [
    ...looks,
    { theme: 'dark', locale: 'en', width: 1440 } as const,
    { theme: 'light', locale: 'zh', width: 390, height: 844 } as const,
  ])
    it(`says for what, in ${look.locale}, ${look.theme}, at ${look.width}`, async () => {
      const { page, context, complaints } = await rig.open(`/runs/${run}`, look)
      await page.getByText('A-7').first().waitFor()
      await settled(page)
      expect(await faults(page)).toEqual([])
      await page.screenshot({ path: `${inject('shots')}/run-waits-${look.locale}-${look.theme}-${look.width}.png` })
      await page.getByRole('button', { name: look.locale === 'zh' ? '发布' : 'Publish' }).click()
      await page.getByRole('dialog').getByRole('textbox').waitFor()
      await page.screenshot({ path: `${inject('shots')}/run-publish-${look.locale}-${look.theme}-${look.width}.png` })
      expect(await faults(page)).toEqual([])
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'Rate the risk' }).click()
      const drawer = page.getByRole('dialog')
      await drawer.getByText(look.locale === 'zh' ? '规则 2' : 'Rule 2').waitFor()
      await page.screenshot({ path: `${inject('shots')}/run-decision-${look.locale}-${look.theme}-${look.width}.png` })
      expect(await faults(page)).toEqual([])
      expect(complaints).toEqual([])
      await context.close()
    })

  it('is told by a signal and a message, and who heard them is shown', async () => {
    const { page, context, complaints } = await rig.open(`/runs/${run}`)
    const now = page.getByRole('region', { name: 'Running now' })
    await now.getByText(/Waits for message\s*paid, key\s*A-7, since/).waitFor()
    await now.getByText(/Waits for signal\s*maintenance, since/).waitFor()
    const dialog = page.getByRole('dialog')
    await now.getByRole('button', { name: 'Broadcast' }).click()
    await dialog.getByRole('button', { name: 'Broadcast' }).click()
    await dialog.getByText('1 run heard it').waitFor()
    await dialog.getByText('this run').waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Pause' }).first().waitFor()

    await now.getByRole('button', { name: 'Publish' }).click()
    const editor = dialog.getByRole('textbox', { name: 'Variables (JSON)' })
    await editor.click()
    await page.keyboard.insertText('[1]')
    await dialog.getByText('Not a JSON object.').waitFor()
    expect(await dialog.getByRole('button', { name: 'Publish' }).isDisabled()).toBe(true)
    await page.keyboard.press('Control+a')
    await page.keyboard.insertText('{"amount": 9007199254740993}')
    await dialog.getByRole('button', { name: 'Publish' }).click()
    await dialog.getByText('1 run heard it').waitFor()
    expect(await faults(page)).toEqual([])
    await page.keyboard.press('Escape')
    await page.getByRole('heading', { level: 1 }).locator('xpath=..').getByText('Completed').waitFor()
    await page.getByRole('tab', { name: 'Variables' }).click()
    await page.getByText('9007199254740993').first().waitFor()
    expect(complaints).toEqual([])
    await context.close()
  })

  it('offers nothing to publish to who may not, and still says what it waits for', async () => {
    const other = await begin('B-8')
    await rig.api('POST', '/api/v1/users', {
      name: 'vera',
      password: 'a sentence for the tests 7',
      roles: [{ role: 'viewer', project: 'default' }],
    })
    const context = await rig.browser.newContext({ locale: 'en-US' })
    const page = await context.newPage()
    await page.goto(`${rig.url}/runs/${other}`)
    await page.getByLabel('Name').fill('vera')
    await page.getByLabel('Password').fill('a sentence for the tests 7')
    await page.getByRole('button', { name: 'Sign in' }).click()
    const now = page.getByRole('region', { name: 'Running now' })
    await now.getByText(/key\s*B-8/).waitFor()
    expect(await now.getByRole('button', { name: /Publish|Broadcast/ }).count()).toBe(0)
    await context.close()
  })

  it('has steps that name the decision, its version and the rules', async () => {
    const other = await begin('C-9')
    const { page, context } = await rig.open(`/runs/${other}`)
    await page.getByTitle('Plain task').waitFor()
    await page.getByRole('button', { name: 'Rate the risk' }).click()
    const drawer = page.getByRole('dialog')
    await drawer.getByText('Kind').waitFor()
    await drawer.getByRole('tree', { name: 'Value' }).getByText('"high"').waitFor()
    await drawer.getByText('Rule 4 · Production.').waitFor()
    await drawer.getByRole('link', { name: 'risk, version 3' }).click()
    await page.getByRole('heading', { level: 1, name: 'Risk' }).waitFor()
    await context.close()
  })

  it('says why a decision gave null', async () => {
    const { run: odd } = await rig.api<{ run: string }>('POST', '/api/v1/runs', {
      project: 'default',
      process: 'pay',
      title: 'Odd',
      variables: { order: 'D-1', Change: { environment: 'nowhere' }, Start: change.Start },
    })
    const { page, context } = await rig.open(`/runs/${odd}`)
    await page.getByRole('button', { name: 'Rate the risk' }).click()
    const drawer = page.getByRole('dialog')
    await drawer.getByRole('tree', { name: 'Value' }).getByText('null').waitFor()
    await drawer.getByText('No rule matched').waitFor()
    await drawer
      .getByText(/tChange|conform/)
      .first()
      .waitFor()
    await context.close()
  })
})
