import { computed, ref, shallowRef, triggerRef } from 'vue'
import type { Schemas } from '@/api/client'
import { listen } from '@/api/stream'
import type { Mark } from '@/parts/Diagram.vue'

export type Run = Schemas['ProcessRun']
export type Step = Schemas['ProcessStep']

const over = new Set(['completed', 'failed', 'cancelled'])
const weight: Record<string, number> = { incident: 4, active: 3, skipped: 2, completed: 1, terminated: 0 }

/** A run as it goes on: the server sends it and each of its steps whenever they change. */
export function useRun(key: string) {
  const run = ref<Run>()
  const steps = shallowRef(new Map<string, Step>())
  const changes = ref(0)
  const stream = listen(`/api/v1/runs/${key}/events`, {
    run: (data) => {
      const update = data as { run: Run; steps: Step[] | null }
      for (const s of update.steps ?? []) steps.value.set(s.key, s)
      run.value = update.run
      changes.value++
      triggerRef(steps)
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
      const m = (all[s.element] ??= { state: s.state, count: 0, done: 0, total: 0 })
      if ((weight[s.state] ?? 0) >= (weight[m.state] ?? 0) || m.count === 0) m.state = s.state
      m.count++
      m.total += s.rows?.total ?? 0
      m.done += s.rows?.outcomes?.ok ?? 0
    }
    for (const m of Object.values(all)) if (m.total > 1) m.note = `${m.done}/${m.total}`
    return all as Record<string, Mark>
  })
  return { run, list, marks, ended, changes, stream }
}
