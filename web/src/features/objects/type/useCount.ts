import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import { ask, client } from '@/api/client'
import { useSession } from '@/app/session'

const most = 200

/** How many objects of a type there are, or have a value in an attribute: up to what one page tells. */
export function useCount(type: string, attribute?: string) {
  const session = useSession()
  const { n: number } = useI18n()
  const query = useQuery({
    queryKey: ['objects', session.project, type, 'count', attribute ?? ''],
    queryFn: () =>
      ask(
        client.POST('/api/v1/objects/{type}/query', {
          params: { path: { type }, query: { project: session.project } },
          body: {
            fields: ['id'],
            limit: most,
            additionalFilters: attribute ? [{ attrName: attribute, op: 'isnot', condition: null }] : [],
          },
        }),
      ),
    staleTime: 0,
  })
  const n = computed(() => query.data.value?.items?.length ?? 0)
  return { query, n, text: computed(() => number(n.value) + (query.data.value?.next ? '+' : '')) }
}
