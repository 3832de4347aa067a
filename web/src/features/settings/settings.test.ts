import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import en from './locales/en.json'
import zh from './locales/zh.json'

describe('the settings of the server', () => {
  it('are explained, each of them and no other', () => {
    const source = readFileSync(join(import.meta.dirname, '../../../../internal/config/config.go'), 'utf8')
    const body = /func defaults\(\)[^{]*\{([\s\S]*?)\n\}/.exec(source)![1]!
    const keys = [...body.matchAll(/"([a-z][a-z_.]*)":/g)].map((m) => m[1]!.replaceAll('.', '_')).sort()
    expect(keys.length).toBeGreaterThan(5)
    expect(Object.keys(en.settings.of).sort()).toEqual(keys)
    expect(Object.keys(zh.settings.of).sort()).toEqual(keys)
  })
})
