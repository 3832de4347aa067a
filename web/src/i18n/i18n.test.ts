import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createI18n } from 'vue-i18n'
import { i18n } from '.'
import { quickly } from './quick'
import english from 'virtual:texts/en'
import chinese from 'virtual:texts/zh'

function flat(tree: Record<string, unknown>, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([k, v]) =>
    v && typeof v === 'object' ? flat(v as Record<string, unknown>, `${prefix}${k}.`) : [`${prefix}${k}`],
  )
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
    expect(
      [...en].filter((k) => !zh.has(k)),
      'missing in Chinese',
    ).toEqual([])
    expect(
      [...zh].filter((k) => !en.has(k)),
      'missing in English',
    ).toEqual([])
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
    expect(
      latin.filter((k) => !names.test(String(value(k)))),
      'left in English',
    ).toEqual([])
  })
})

describe('a text', () => {
  const { t, setLocaleMessage, locale } = i18n.global as unknown as {
    t: (key: string, ...fill: unknown[]) => string
    setLocaleMessage: (l: string, m: object) => void
    locale: { value: string }
  }
  it('is said in the language that is shown, filled in or plain', () => {
    expect([t('ui.cancel'), t('ui.ago.past', { time: '1 h' }), t('no.such.text'), t('ui')]).toEqual([
      'Cancel',
      expect.stringContaining('1 h'),
      'no.such.text',
      'ui',
    ])
    setLocaleMessage('zh', chinese)
    locale.value = 'zh'
    expect(t('ui.cancel')).toBe('取消')
    locale.value = 'en'
    expect(t('ui.cancel')).toBe('Cancel')
  })
})

describe('what is said without the library', () => {
  const quick = quickly(() => ({
    a: { plain: 'Plain', one: '{n} of {all}', plural: 'one | {n}', linked: '@:a.plain', escaped: "a {'@'} b", brace: 'a { b' },
  }))
  it.each([
    ['a.plain', [], 'Plain'],
    ['a.plain', [{}], 'Plain'],
    ['a.one', [{ n: 1, all: 'x' }], '1 of x'],
    ['a.one', [], undefined],
    ['a.one', [{ n: 1 }], undefined],
    ['a.one', [{ n: null, all: 2 }], undefined],
    ['a.one', [[1, 2]], undefined],
    ['a.plain', [2], undefined],
    ['a.one', [{ n: 1, all: 2 }, 1], undefined],
    ['a.plural', [], undefined],
    ['a.linked', [], undefined],
    ['a.escaped', [], undefined],
    ['a.brace', [], undefined],
    ['a', [], undefined],
    ['b.c', [], undefined],
  ])('%s with %j is %s', (key, fill, said) => expect(quick('en', key, fill)).toBe(said))
  it('is what the library would say', () => {
    const { t } = createI18n({ legacy: false, locale: 'en', messages: { en: english as never }, missingWarn: false }).global as unknown as {
      t: (key: string, named: object) => string
    }
    const named = Object.fromEntries(
      [...en].flatMap((k) =>
        [
          ...JSON.stringify(k.split('.').reduce<unknown>((at, n) => (at as Record<string, unknown>)[n], english)).matchAll(/\{(\w+)\}/g),
        ].map((m) => [m[1]!, `<${m[1]}>`]),
      ),
    )
    const said = quickly(() => english)
    let n = 0
    for (const key of en) {
      const text = said('en', key, [named])
      if (text === undefined) continue
      n++
      expect(text, key).toBe(t(key, named))
    }
    expect(n).toBeGreaterThan(en.size * 0.9)
  })
})
