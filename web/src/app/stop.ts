import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, ref } from 'vue'
import { ask, client } from '@/api/client'

const asking = ref(false)

/** The emergency stop: whether nothing may start, and the way to set and release it. */
export function useStop() {
  const queries = useQueryClient()
  const state = useQuery({ queryKey: ['stop'], queryFn: () => ask(client.GET('/api/v1/stop')) })
  async function set(active: boolean, reason = '') {
    await ask(client.PUT('/api/v1/stop', { body: { active, reason } }))
    await queries.invalidateQueries({ queryKey: ['stop'] })
  }
  return { state: state.data, active: computed(() => state.data.value?.active ?? false), asking, ask: () => (asking.value = true), set }
}
