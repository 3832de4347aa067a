import { useQuery } from '@tanstack/vue-query'
import { computed, watch, type Ref } from 'vue'
import { ask, client, type Schemas } from '@/api/client'
import type { Run } from './useRun'

export type Waiting = Schemas['MessageWaiting']

/** The messages and signals that a run waits for, while it goes on. */
export function useWaits(run: Ref<Run>, ended: Ref<boolean>, changes: Ref<number>) {
  const query = useQuery({
    queryKey: computed(() => ['runs', run.value.key, 'waits']),
    queryFn: () => ask(client.GET('/api/v1/waits', { params: { query: { project: run.value.project, run: run.value.key, limit: 100 } } })),
    enabled: computed(() => !ended.value && !!run.value.project),
  })
  watch(changes, () => !ended.value && run.value.project && void query.refetch())
  return computed<Waiting[]>(() => (ended.value ? [] : (query.data.value?.items ?? [])))
}
