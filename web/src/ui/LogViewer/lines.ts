import { computed, type Ref } from 'vue'
import type { LogStore } from './store'

/** Reads "12" or "12-40", as they stand in an address, into places from 0. */
export function readRange(text: string): { from: number; to: number } | undefined {
  const m = /^L?(\d+)(?:-L?(\d+))?$/.exec(text)
  if (!m) return undefined
  const a = Math.max(1, Number(m[1]))
  const b = Math.max(1, Number(m[2] ?? m[1]))
  return { from: Math.min(a, b) - 1, to: Math.max(a, b) - 1 }
}

/** The chosen lines: one by a press, a stretch with shift. */
export function useLines(lines: Ref<string>, store: Ref<LogStore>) {
  const range = computed(() => readRange(lines.value))
  let anchor = -1
  function pick(i: number, stretch: boolean) {
    if (stretch && range.value) {
      const from = anchor < 0 ? range.value.from : anchor
      lines.value = from === i ? String(i + 1) : `${Math.min(from, i) + 1}-${Math.max(from, i) + 1}`
      return
    }
    anchor = i
    lines.value = range.value?.from === i && range.value.to === i ? '' : String(i + 1)
  }
  const text = () =>
    range.value ? [...store.value.lines(range.value.from, Math.min(range.value.to + 1, store.value.length))].join('\n') : ''
  return { range, pick, text }
}

/** Saves all of the output as a text file, without its colours. */
export function save(store: LogStore, name: string): void {
  const parts: string[] = []
  let part: string[] = []
  for (const line of store.lines()) {
    part.push(line)
    if (part.length === 50_000) {
      parts.push(part.join('\n') + '\n')
      part = []
    }
  }
  parts.push(part.join('\n') + '\n')
  const url = URL.createObjectURL(new Blob(parts, { type: 'text/plain;charset=utf-8' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
