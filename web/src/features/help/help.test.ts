import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import chinese from 'virtual:texts/zh'
import english from 'virtual:texts/en'
import { inChinese, pages, titleKey } from './pages'

const docs = join(import.meta.dirname, '../../../../docs')

describe('the help', () => {
  it('shows every document, and no other', () => {
    const written = readdirSync(docs, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.md') && !/^(adr|design)\//.test(f)) // those are for who builds it
    expect([...pages].sort()).toEqual(written.filter((f) => !f.endsWith('.zh-CN.md')).sort())
    expect([...inChinese].sort(), 'those that are translated').toEqual(
      written
        .filter((f) => f.endsWith('.zh-CN.md'))
        .map((f) => f.replace('.zh-CN', ''))
        .sort(),
    )
  })
  it.each(pages)('has a name for %s in both languages', (page) => {
    for (const texts of [english, chinese])
      expect((texts as { help: { page: Record<string, string> } }).help.page[titleKey(page)]).toEqual(expect.any(String))
  })
})
