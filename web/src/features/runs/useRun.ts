import { computed, ref, shallowRef, triggerRef } from 'vue'
import type { Schemas } from '@/api/client'
import { listen } from '@/api/stream'
import type { Mark } from '@/parts/Diagram.vue'
import { over, stateOfStep } from '@/parts/states'

export type Run = Schemas['ProcessRun']
export type Step = Schemas['ProcessStep']

/** How far an object of a step is; outcome is empty while that is not known. */
export interface Row {
  job: string
  object: string
  outcome?: string
  percent?: number
}
/** Objects by the job that acts on them. */
export type Rows = Map<string, Map<string, Row>>

/** What goes on or is stuck is shown before what is over; of that, the newest. */
const weight: Record<string, number> = { incident: 3, active: 2, waiting: 2 }

/** A run as it goes on: the server sends it, and each of its steps and objects whenever they change. */
export function useRun(key: string) {
  const run = ref<Run>()
  const steps = shallowRef(new Map<string, Step>())
  const rows = shallowRef<Rows>(new Map())
  /** Grows when a step or the run itself gets another state, not with every object. */
  const changes = ref(0)
  const stream = listen(`/api/v1/runs/${key}/events?rows=true`, {
    run: (data) => {
      const update = data as { run: Run; steps: Step[] | null; rows?: Row[] }
      const turned = run.value?.state !== update.run.state || update.steps?.some((s) => steps.value.get(s.key)?.state !== s.state)
      for (const s of update.steps ?? []) steps.value.set(s.key, s)
      for (const r of update.rows ?? []) {
        const of = rows.value.get(r.job) ?? new Map<string, Row>()
        if (!of.size) rows.value.set(r.job, of)
        of.set(r.object, r)
      }
      // Only the first message names the objects.
      run.value = { ...update.run, objects: update.run.objects?.length ? update.run.objects : (run.value?.objects ?? []) }
      if (turned) changes.value++
      if (update.steps?.length) triggerRef(steps)
      if (update.rows?.length) triggerRef(rows)
      if (over.has(update.run.state)) stream.close()
    },
  })

  /** In the order in which they began, as the server tells them. */
  const list = computed(() => [...steps.value.values()])
  const ended = computed(() => !!run.value && over.has(run.value.state))

  /** What the diagram shows of each element: the state that matters most, and how often it was passed. */
  const marks = computed(() => {
    const all: Record<string, Mark & { done: number; total: number }> = {}
    for (const s of list.value) {
      const state = stateOfStep(s)
      const m = (all[s.element] ??= { state, count: 0, done: 0, total: 0 })
      if ((weight[state] ?? 0) >= (weight[m.state] ?? 0)) m.state = state
      m.caught ||= s.caught
      m.count++
      m.total += s.rows?.total ?? 0
      m.done += s.rows?.outcomes?.ok ?? 0
    }
    for (const m of Object.values(all)) if (m.total > 1) m.note = `${m.done}/${m.total}`
    return all as Record<string, Mark>
  })
  return { run, list, rows, marks, ended, changes, stream }
}
