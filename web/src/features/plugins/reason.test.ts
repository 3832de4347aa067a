import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { reasonText } from './reason'

describe('why a plugin is unreachable', () => {
  it('is said in the words of the console, whatever the server may say', () => {
    const source = readFileSync(join(import.meta.dirname, '../../../../internal/domain/plugin/health.go'), 'utf8')
    const said = [...source.matchAll(/(?:return|why =) StateUnreachable, (?:"", )?(".+)$/gm)].map((m) =>
      m[1]!
        .replace(/" ?\+ ?[\w.()]+ ?\+ ?"/g, 'X')
        .replace(/" \+ [\w.]+$/, 'X"')
        .replace(/^"|"$/g, ''),
    )
    expect(said.length).toBeGreaterThan(5)
    expect(said.map((s) => reasonText(s, (key) => key)).filter((k) => !k.startsWith('plugins.reason.'))).toEqual([])
  })
  it('stays as it is where nothing is known of it', () => expect(reasonText('the moon is full', (k) => k)).toBe('the moon is full'))
})
