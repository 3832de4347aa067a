import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type MaybeRef } from 'vue'

interface Page<T> {
  items: readonly T[] | null
  next?: string
}

export interface Pages<T> {
  key: () => readonly unknown[]
  ask: (after: string | undefined, signal: AbortSignal) => Promise<Page<T>>
  /** What is there stays while something else is asked for. */
  keep?: boolean
  enabled?: MaybeRef<boolean>
}

/** A list that comes page by page: its rows so far, and what a table is told of the rest. */
export function usePages<T>(of: Pages<T>) {
  const query = useInfiniteQuery({
    queryKey: computed(of.key),
    queryFn: ({ pageParam, signal }) => of.ask(pageParam || undefined, signal),
    initialPageParam: '',
    getNextPageParam: (page: Page<T>) => page.next || undefined,
    placeholderData: of.keep ? keepPreviousData : undefined,
    enabled: of.enabled ?? true,
  })
  const rows = computed<T[]>(() => (query.data.value?.pages ?? []).flatMap((p) => p.items ?? []))
  const more = { onMore: () => void query.fetchNextPage(), onRetry: () => void query.refetch() }
  const table = computed(() => ({
    loading: query.isPending.value,
    error: query.isError.value ? query.error.value : undefined,
    hasMore: query.hasNextPage.value,
    loadingMore: query.isFetchingNextPage.value,
    ...more,
  }))
  return { query, rows, table }
}
