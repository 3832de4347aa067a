import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import chinese from 'virtual:texts/zh'
import english from 'virtual:texts/en'
import { pages, titleKey } from './pages'

const docs = join(import.meta.dirname, '../../../../docs')

describe('the help', () => {
  it('shows every document, and no other', () => {
    const written = readdirSync(docs, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.md') && !/^(adr|design)\//.test(f)) // those are for who builds it
    expect([...pages].sort()).toEqual(written.sort())
  })
  it.each(pages)('has a name for %s in both languages', (page) => {
    for (const texts of [english, chinese]) expect((texts as { help: { page: Record<string, string> } }).help.page[titleKey(page)]).toEqual(expect.any(String))
  })
})
