import { useI18n } from 'vue-i18n'
import type { Tone } from '@/ui/Badge.vue'

/** Made-up things to show components with. They are the same each time. */
export function useSay() {
  const { locale } = useI18n()
  return (en: string, zh: string) => (locale.value === 'zh' ? zh : en)
}

export const states = ['done', 'running', 'waiting', 'failed', 'held', 'skipped'] as const
export type StateName = (typeof states)[number]
export const tones: Record<StateName, Tone> = { done: 'ok', running: 'run', waiting: 'idle', failed: 'bad', held: 'hold', skipped: 'warn' }
export const words: Record<StateName, [en: string, zh: string]> = {
  done: ['Done', '已完成'],
  running: ['Running', '运行中'],
  waiting: ['Waiting', '等待中'],
  failed: ['Failed', '失败'],
  held: ['Held', '已暂停'],
  skipped: ['Skipped', '已跳过'],
}

/** Numbers that look thrown, always in the same order. */
export function thrower(seed: number): () => number {
  let n = seed
  return () => ((n = (Math.imul(n, 1664525) + 1013904223) >>> 0), n / 4294967296)
}

export interface Host {
  id: string
  name: string
  zone: string
  state: StateName
  cpu: number
  memory: number
  seen: string
}

export function hosts(n: number): Host[] {
  const next = thrower(42)
  const zones = ['eu-west-1a', 'eu-west-1b', 'ap-east-1a', 'us-east-2c']
  const kinds = ['web', 'api', 'db', 'cache', 'queue']
  return Array.from({ length: n }, (_, i) => ({
    id: `h${i}`,
    name: `${kinds[i % kinds.length]}-${String(i).padStart(5, '0')}`,
    zone: zones[Math.floor(next() * zones.length)]!,
    state: next() < 0.82 ? 'done' : states[Math.floor(next() * states.length)]!,
    cpu: Math.floor(next() * 100),
    memory: Math.floor(next() * 64),
    seen: new Date(Date.now() - Math.floor(next() * 9e6)).toISOString(),
  }))
}

export function output(lines: number): string {
  const next = thrower(7)
  const list: string[] = []
  for (let i = 0; i < lines; i++) {
    const r = next()
    const host = `host-${Math.floor(next() * 2000)}`
    if (r < 0.02) list.push(`\x1b[1;31merror\x1b[0m \x1b[36m${host}\x1b[0m connection refused after \x1b[33m3\x1b[0m attempts`)
    else if (r < 0.06) list.push(`\x1b[33mwarn\x1b[0m  \x1b[36m${host}\x1b[0m disk usage at ${80 + Math.floor(next() * 20)} %`)
    else if (r < 0.07)
      list.push(
        `\x1b[2mdebug\x1b[0m \x1b[36m${host}\x1b[0m ${JSON.stringify({ attempt: i % 5, path: '/var/lib/app/releases/2026-03-01', checksum: 'sha256:' + i.toString(16).padStart(40, 'a'), size: i * 31 })} and a long line that goes on for quite a while so that wrapping has something to do`,
      )
    else list.push(`\x1b[32minfo\x1b[0m  \x1b[36m${host}\x1b[0m step ${i} finished in ${Math.floor(next() * 900)} ms`)
  }
  return list.join('\n') + '\n'
}
