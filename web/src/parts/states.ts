import type { Tone } from '@/ui/Badge.vue'

/** How the states of runs, steps and rows look; the same everywhere. */
export const runTone: Record<string, Tone> = { active: 'run', incident: 'bad', completed: 'ok', failed: 'bad', cancelled: 'idle' }
export const stepTone: Record<string, Tone> = { active: 'run', incident: 'bad', completed: 'ok', terminated: 'idle', skipped: 'warn' }
export const outcomeTone: Record<string, Tone> = { ok: 'ok', failed: 'bad', skipped: 'idle', cancelled: 'idle', timed_out: 'bad', unknown: 'hold', open: 'run' }
