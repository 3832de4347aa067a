import type { Tone } from '@/ui/Badge.vue'

/** How the states of runs, steps and rows look; the same everywhere. Violet is for what waits for a person. */
export const runTone: Record<string, Tone> = {
  active: 'run',
  waiting: 'hold',
  queued: 'warn',
  stopping: 'run',
  incident: 'bad',
  completed: 'ok',
  failed: 'bad',
  cancelled: 'idle',
}
export const stepTone: Record<string, Tone> = {
  active: 'run',
  waiting: 'hold',
  incident: 'bad',
  completed: 'ok',
  failed: 'bad',
  timed_out: 'bad',
  terminated: 'idle',
  skipped: 'warn',
}
export const outcomeTone: Record<string, Tone> = {
  ok: 'ok',
  failed: 'bad',
  skipped: 'idle',
  cancelled: 'idle',
  timed_out: 'bad',
  unknown: 'hold',
  open: 'run',
}

/** The states in which a run has ended. */
export const over = new Set(['completed', 'failed', 'cancelled'])

/** What a state of the server is called here: a run that waits to start is told apart from one that waits for a person. */
export const shownRunState = (state: string) => (state === 'waiting' ? 'queued' : state)

/** The state that is shown: a run whose tasks are open waits for a person. */
export const stateOfRun = (r: { state: string; tasks?: number }) => (r.state === 'active' && r.tasks ? 'waiting' : shownRunState(r.state))

/** A task of a person that is not done waits for him. */
export const stateOfStep = (s: { state: string; type: string }) => (s.state === 'active' && s.type === 'user' ? 'waiting' : s.state)
