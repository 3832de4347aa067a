import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import type { Plugin } from 'vite'

type Tree = Record<string, unknown>

function merge(into: Tree, from: Tree): Tree {
  for (const [key, value] of Object.entries(from)) {
    const old = into[key]
    into[key] = value && typeof value === 'object' ? merge(old && typeof old === 'object' ? (old as Tree) : {}, value as Tree) : value
  }
  return into
}

/** The texts of a language, which lie beside what shows them, as one tree. */
export function textsOf(locale: string, src = join(import.meta.dirname, 'src')): { tree: Tree; files: string[] } {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith(join(sep, 'locales', `${locale}.json`)))
    .sort()
    .map((f) => join(src, f))
  return { tree: files.reduce<Tree>((all, f) => merge(all, JSON.parse(readFileSync(f, 'utf8')) as Tree), {}), files }
}

/** Makes virtual:texts/<locale>: one string that the browser parses at once, where some thirty modules would be read and merged. */
export const texts: Plugin = {
  name: 'texts',
  resolveId: (id) => (id.startsWith('virtual:texts/') ? `\0${id}` : undefined),
  load(id) {
    const locale = /^\0virtual:texts\/(\w+)$/.exec(id)?.[1]
    if (!locale) return undefined
    const { tree, files } = textsOf(locale)
    for (const f of files) this.addWatchFile(f)
    return `export default JSON.parse(${JSON.stringify(JSON.stringify(tree))})`
  },
}
