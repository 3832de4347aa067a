import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ref } from 'vue'
import { describe, expect, it, vi } from 'vitest'
import { Problem } from '@/api/problem'
import { i18n } from '@/i18n'
import { tell } from '.'
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
  it('is told in the language of the console, with what the server said below', async () => {
    const p = new Problem({ status: 423, code: 'control.locked', title: 'host:host/web-1 is held by run 27' })
    expect(tell(p, ref('en'), t)).toEqual({ title: p.title })
    await vi.waitFor(() => expect(tell(p, ref('zh'), t)).toEqual({ title: '对象正被其他运行锁定', said: p.title }))
  })
  it('names the right that is missing, and whom to ask', () => {
    const p = new Problem({ status: 403, code: 'identity.forbidden', title: 'x', params: { permission: 'user.read', project: '', environment: '' } })
    const { title, said } = tell(p, ref('en'), t)
    expect(title).toContain('user.read')
    expect(title).not.toContain('""')
    expect(said).toBeUndefined()
    expect(tell(new Problem({ ...p, title: 'x', params: { permission: 'object.write', project: 'shop', environment: 'prod' } }), ref('en'), t).said).toContain('prod')
  })
})
