import { useQuery } from '@tanstack/vue-query'
import { computed, watch, type Ref } from 'vue'
import { ask, client } from '@/api/client'
import type { Run, Step } from './useRun'

/** Something that went wrong: a step, and the objects of it that failed. */
export interface Fault {
  step: Step
  rows: { object: string; outcome: string; code?: string; message?: string }[]
}
const bad = new Set(['failed', 'timed_out', 'unknown', 'cancelled'])
const wrong = new Set(['incident', 'failed', 'timed_out'])

/** The steps to tell of: those that went wrong themselves, not what only lies around them. */
export function faulty(steps: Step[]): Step[] {
  const all = steps.filter((s) => wrong.has(s.state))
  const parents = new Map(steps.map((s) => [s.key, s.parent]))
  const around = new Set<string>()
  for (const s of all) for (let p = s.parent; p; p = parents.get(p)) around.add(p)
  return all.filter((s) => !around.has(s.key) && (s.type !== 'end' || !all.some((o) => o !== s && o.type !== 'end')))
}

/** What of a run went wrong and where, and what people decided about it. */
export function useFaults(run: Ref<Run>, steps: Ref<Step[]>, changes: Ref<number>) {
  const told = computed(() => faulty(steps.value))
  const path = computed(() => ({ run: run.value.key }))
  const jobs = useQuery({
    queryKey: computed(() => ['runs', run.value.key, 'jobs']),
    queryFn: () => ask(client.GET('/api/v1/runs/{run}/jobs', { params: { path: path.value } })),
    enabled: computed(() => told.value.some((s) => s.job && s.service) || steps.value.some((s) => s.state === 'active' && s.job)),
  })
  const decisions = useQuery({
    queryKey: computed(() => ['runs', run.value.key, 'decisions']),
    queryFn: () => ask(client.GET('/api/v1/runs/{run}/decisions', { params: { path: path.value } })),
  })
  watch(changes, () => {
    void jobs.refetch()
    void decisions.refetch()
  })
  const byJob = computed(() => new Map((jobs.data.value?.items ?? []).map((j) => [j.job, j])))
  const faults = computed<Fault[]>(() =>
    told.value.map((step) => ({
      step,
      rows: (byJob.value.get(step.job ?? '')?.rows ?? [])
        .filter((r) => bad.has(r.outcome ?? ''))
        .map((r) => ({ object: r.object, outcome: r.outcome ?? '', code: r.code, message: r.message })),
    })),
  )
  /** What stands against the locks that a step waits for. */
  const waits = computed(() =>
    steps.value
      .filter((s) => s.state === 'active' && s.job)
      .flatMap((s) => (byJob.value.get(s.job!)?.waits ?? []).map((lock) => ({ step: s, lock }))),
  )
  return { faults, waits, decisions: computed(() => decisions.data.value?.items ?? []) }
}
