import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ref } from 'vue'
import { describe, expect, it, vi } from 'vitest'
import { Problem } from '@/api/problem'
import { i18n } from '@/i18n'
import { fieldText, sayCode, tell } from '.'
import files from './files.zh.json'
import chinese from './zh.json'

const page = readFileSync(join(import.meta.dirname, '../../../../docs/reference/errors.md'), 'utf8')
const rows = [...page.matchAll(/^\| `([\w.]+)` \| ?([^|]*)\|/gm)].map((m) => ({ code: m[1]!, status: m[2]!.trim() }))
const global: unknown = i18n.global
const t = (key: string, fill?: object) => (global as { t: (key: string, fill: object) => string }).t(key, fill ?? {})

describe('what the server refuses', () => {
  it('has a Chinese text for each code that an answer can have', () => {
    const answered = rows.filter((r) => r.status).map((r) => r.code)
    expect(answered.length).toBeGreaterThan(120)
    expect(answered.filter((code) => !(code in chinese))).toEqual([])
  })
  it('has one for each code that a file can have', () => {
    const ofFiles = rows.filter((r) => !r.status && /^(process|bpmn|feel|dmn|objectpath)\./.test(r.code)).map((r) => r.code)
    expect(ofFiles.length).toBeGreaterThan(100)
    expect(ofFiles.filter((code) => !(code in files) && !(code in chinese))).toEqual([])
  })
  it('says in a page what a code means, with the words of the server below', async () => {
    const said = 'No flow leads to "pay".'
    expect(sayCode('process.unreachable', said, ref('en'))).toEqual({ title: said })
    await vi.waitFor(() => expect(sayCode('process.unreachable', said, ref('zh'))).toEqual({ title: files['process.unreachable'], said }))
    expect(sayCode('nobody.wrote', said, ref('zh'))).toEqual({ title: said })
    await vi.waitFor(() => expect(sayCode(undefined, 'it is required', ref('zh'))).toEqual({ title: '必填' }))
  })
  it('is told in the language of the console, with what the server said below', async () => {
    const p = new Problem({ status: 423, code: 'control.locked', title: 'host:host/web-1 is held by run 27' })
    expect(tell(p, ref('en'), t)).toEqual({ title: p.title })
    await vi.waitFor(() => expect(tell(p, ref('zh'), t)).toEqual({ title: '对象正被其他运行锁定', said: p.title }))
  })
  it('names the right that is missing, and whom to ask', () => {
    const p = new Problem({
      status: 403,
      code: 'identity.forbidden',
      title: 'x',
      params: { permission: 'user.read', project: '', environment: '' },
    })
    const { title, said } = tell(p, ref('en'), t)
    expect(title).toContain('user.read')
    expect(title).not.toContain('""')
    expect(said).toBeUndefined()
    expect(
      tell(new Problem({ ...p, title: 'x', params: { permission: 'object.write', project: 'shop', environment: 'prod' } }), ref('en'), t)
        .said,
    ).toContain('prod')
  })
})

describe('what the server says about a field', () => {
  const zh = ref('zh')
  const root = join(import.meta.dirname, '../../../..')
  const go = (dir: string): string[] =>
    readdirSync(join(root, dir), { recursive: true, encoding: 'utf8' })
      .filter((f) => f.endsWith('.go') && !f.endsWith('_test.go'))
      .map((f) => readFileSync(join(root, dir, f), 'utf8'))
  /** A format with something in its holes. */
  const filled = (format: string) =>
    format
      .replace(/\\"/g, '"')
      .replace(/%(?:\.\d+)?q/g, '"x-1"')
      .replace(/%[sv]/g, 'x')
      .replace(/%d/g, '3')
      .replace(/%%/g, '%')
  const said = new Set<string>()
  for (const text of [...go('internal'), ...go('sdk')])
    for (const m of text.matchAll(/Field\{[^\n]*Message: "((?:[^"\\]|\\.)*)"( \+)?/g))
      said.add(filled(m[1]!) + (m[2] ? (m[1]!.endsWith(' ') ? 'x' : ': x') : ''))
  const check = readFileSync(join(root, 'sdk/go/objectstore/check.go'), 'utf8')
  for (const m of check.matchAll(/told \+ "([^"]+)"/g)) said.add(`"x"${m[1]}`)
  for (const m of check.matchAll(/nil, "((?:[^"\\]|\\.)+)"$/gm)) said.add(filled(m[1]!))
  for (const m of readFileSync(join(root, 'sdk/go/objectstore/index.go'), 'utf8').matchAll(
    /At: map\[string\]string\{[\w.]+: fmt\.Sprintf\("((?:[^"\\]|\\.)*)"/g,
  ))
    said.add(filled(m[1]!))
  for (const m of readFileSync(join(root, 'plugins/cmdb/model.go'), 'utf8').matchAll(
    /(?:bad\([\w."]+|return \[\]string\{(?:fmt\.Sprintf\()?|append\(out, fmt\.Sprintf\()(?:, )?"((?:[^"\\]|\\.){8,})"/g,
  ))
    said.add(filled(m[1]!))

  it('has a Chinese form for all that is written in the source', async () => {
    fieldText('x', zh)
    await vi.waitFor(() => expect(fieldText('it is required', zh)).toBe('必填'))
    expect(said.size).toBeGreaterThan(55)
    expect([...said].filter((s) => !/[\u4e00-\u9fff]/.test(fieldText(s, zh)!)).sort()).toEqual([])
  })
  it('keeps what differs, in the language that is shown', () => {
    expect(fieldText('"twenty-two" is no whole number', zh)).toBe('“twenty-two” 不是整数')
    expect(fieldText('"a b" is none of up, down', zh)).toBe('“a b” 不在可选值中：up, down')
    expect(fieldText('"twenty-two" is no whole number', ref('en'))).toBe('"twenty-two" is no whole number')
    expect(fieldText('请填写', zh)).toBe('请填写')
    expect(fieldText('what nobody wrote', zh)).toBe('what nobody wrote')
    expect(fieldText(undefined, zh)).toBeUndefined()
  })
})
