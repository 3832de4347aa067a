import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = import.meta.dirname

function files(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name)
    return statSync(path).isDirectory() ? files(path) : /\.(vue|ts)$/.test(name) ? [relative(root, path)] : []
  })
}

const all = files(root).filter((f) => !f.endsWith('.test.ts') && f !== 'api/schema.ts')
const text = (f: string) => readFileSync(join(root, f), 'utf8')

/** Which floor of the console may use which: features know no other feature, the design system knows no feature and no page. */
const mayUse: Record<string, string[]> = {
  api: ['api'],
  i18n: ['i18n'],
  ui: ['ui', 'api', 'i18n'],
  parts: ['parts', 'ui', 'api', 'app', 'i18n'],
  app: ['app', 'parts', 'ui', 'api', 'i18n'],
  features: ['app', 'parts', 'ui', 'api', 'i18n'],
}

describe('the house', () => {
  it('has files that can be read at a sitting', () => {
    expect(all.map((f) => [f, text(f).split('\n').length] as const).filter(([, n]) => n > 350)).toEqual([])
  })

  it('uses only what lies below', () => {
    const wrong: string[] = []
    for (const f of all) {
      const [floor, room] = f.split('/')
      if (!floor || !(floor in mayUse)) continue
      for (const m of text(f).matchAll(/from '@\/(\w[\w-]*)\/?([\w-]*)/g)) {
        const [, to, toRoom] = m
        if (floor === 'features' && to === 'features' && toRoom === room) continue
        if (!mayUse[floor]!.includes(to!)) wrong.push(`${f} uses ${m[0].slice(6)}`)
      }
      if (floor === 'features') for (const m of text(f).matchAll(/from '(\.\.\/[^']*)'/g)) wrong.push(`${f} leaves its room: ${m[1]}`)
    }
    expect(wrong).toEqual([])
  })

  it('takes no colour of its own', () => {
    const named =
      /\b(?:bg|text|border|ring|stroke|fill)-(?:red|green|blue|gray|slate|zinc|amber|yellow|indigo|purple|teal|sky|rose|orange)-\d{2,3}\b/
    expect(all.filter((f) => named.test(text(f)))).toEqual([])
  })

  it('never writes what a server said as HTML, but for the manual', () => {
    expect(all.filter((f) => /v-html|innerHTML/.test(text(f)) && f !== 'features/help/HelpPage.vue')).toEqual([])
  })
})
