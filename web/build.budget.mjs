// Holds the build to its budget: what a page loads as script, compressed with
// gzip. The first load is the entry and all that it imports; a page adds its own
// part. The modeler may take more.
import { readFileSync, rmSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const first = 150_000
const page = 350_000

const manifest = JSON.parse(readFileSync('dist/.vite/manifest.json', 'utf8'))
const sizes = new Map()
const size = (file) => {
  if (!sizes.has(file)) sizes.set(file, gzipSync(readFileSync(`dist/${file}`)).length)
  return sizes.get(file)
}
function closure(key, seen = new Set()) {
  const part = manifest[key]
  if (!part || seen.has(part.file)) return seen
  seen.add(part.file)
  for (const i of part.imports ?? []) closure(i, seen)
  return seen
}
const total = (files) => [...files].filter((f) => f.endsWith('.js')).reduce((sum, f) => sum + size(f), 0)

const entry = Object.keys(manifest).find((k) => manifest[k].isEntry)
// The texts of one language are loaded before anything is shown: the longer count.
const texts = Object.keys(manifest)
  .filter((key) => key.includes('virtual:texts/'))
  .map((key) => closure(key, closure('src/boot.ts', closure(entry))))
const base = texts.reduce((a, b) => (total(a) > total(b) ? a : b))
let failed = false
const tell = (name, bytes, limit) => {
  const over = bytes > limit
  failed ||= over
  console.log(`${over ? 'OVER' : '  ok'}  ${String(Math.round(bytes / 1000)).padStart(4)} kB of ${limit / 1000} kB  ${name}`)
}
tell('first load', total(base), first)
for (const key of Object.keys(manifest).filter((k) => /features\/.*Page\.vue$/.test(k)))
  tell(key.replace('src/features/', ''), total(closure(key, new Set(base))), page)
rmSync('dist/.vite', { recursive: true })
if (failed) process.exit(1)
