import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import english from 'virtual:texts/en'
import chinese from 'virtual:texts/zh'

function flat(tree: Record<string, unknown>, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([k, v]) => (v && typeof v === 'object' ? flat(v as Record<string, unknown>, `${prefix}${k}.`) : [`${prefix}${k}`]))
}

function sources(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name)
    if (statSync(path).isDirectory()) return sources(path)
    return /\.(vue|ts)$/.test(name) && !/\.test\.ts$|schema\.ts$/.test(name) ? [path] : []
  })
}

const en = new Set(flat(english))
const zh = new Set(flat(chinese))
const root = join(import.meta.dirname, '..')

describe('texts', () => {
  it('exist in both languages', () => {
    expect([...en].filter((k) => !zh.has(k)), 'missing in Chinese').toEqual([])
    expect([...zh].filter((k) => !en.has(k)), 'missing in English').toEqual([])
  })

  it('exist for every key that the source uses, and are used', () => {
    const used = new Set<string>()
    const stems = new Set<string>()
    for (const file of sources(root)) {
      const text = readFileSync(file, 'utf8')
      for (const m of text.matchAll(/(?<![\w.])\$?(?:t|te|tm)\(\s*['"]([\w.-]+)['"]/g)) used.add(m[1]!)
      for (const m of text.matchAll(/keypath="([\w.-]+)"/g)) used.add(m[1]!)
      for (const m of text.matchAll(/(?<![\w.])\$?(?:t|te)\(\s*`([\w.-]*)\$\{/g)) stems.add(m[1]!)
      for (const m of text.matchAll(/(?:label|title|text|summary|hint|key)Key:\s*['"]([\w.-]+)['"]/g)) used.add(m[1]!)
      // A key that is chosen, as in t(a ? 'x.one' : 'x.other').
      for (const m of text.matchAll(/['"]([\w-]+(?:\.[\w-]+)+)['"]/g)) if (en.has(m[1]!)) used.add(m[1]!)
    }
    expect([...used].filter((k) => !en.has(k)).sort(), 'used and not translated').toEqual([])
    const unused = [...en].filter((k) => !used.has(k) && ![...stems].some((s) => k.startsWith(s)))
    expect(unused.sort(), 'translated and never used').toEqual([])
  })

  it('are Chinese where they are meant to be', () => {
    const tree = chinese
    const value = (key: string) => key.split('.').reduce<unknown>((at, k) => (at as Record<string, unknown>)[k], tree)
    const latin = [...zh].filter((k) => !/[\u4e00-\u9fff]/.test(String(value(k))))
    const names = /^[\W\d_]*$|\{|^(Sextant|BPMN|FEEL|JSON|API|XML|SSH|URL|ID|CSV|English|OK)/
    expect(latin.filter((k) => !names.test(String(value(k)))), 'left in English').toEqual([])
  })
})
