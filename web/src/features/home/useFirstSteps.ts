import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'
import { ask, client } from '@/api/client'
import { useSession } from '@/app/session'

export type FirstStep = 'connection' | 'host' | 'process' | 'run'

/** Which steps of the way to the first green run are done; it is shown until all that are needed are. */
export function useFirstSteps() {
  const session = useSession()
  const key = (name: string, what: string) => computed(() => [what, session.project, 'first', name])
  const query = computed(() => ({ project: session.project, limit: 1 }))
  const wants = session.can('run.start') && session.can('object.read')
  const green = useQuery({
    queryKey: key('green', 'runs'),
    queryFn: () => ask(client.GET('/api/v1/runs', { params: { query: { ...query.value, state: 'completed' } } })),
    enabled: wants,
  })
  const missing = computed(() => wants && green.isSuccess.value && !green.data.value?.items?.length)
  const connections = useQuery({
    queryKey: key('connection', 'connections'),
    queryFn: () => ask(client.GET('/api/v1/connections', { params: { query: query.value } })),
    enabled: computed(() => missing.value && session.can('connection.read')),
  })
  const hosts = useQuery({
    queryKey: key('host', 'objects'),
    queryFn: () =>
      ask(
        client.POST('/api/v1/objects/{type}/query', {
          params: { path: { type: 'host:host' }, query: { project: session.project } },
          body: { fields: ['id'], limit: 1 },
        }),
      ),
    enabled: missing,
    retry: false,
  })
  const processes = useQuery({
    queryKey: key('process', 'processes'),
    queryFn: () => ask(client.GET('/api/v1/processes', { params: { query: query.value } })),
    enabled: computed(() => missing.value && session.can('process.read')),
  })
  const done = computed<Record<FirstStep, boolean>>(() => ({
    connection: !!connections.data.value?.items?.length,
    host: !!hosts.data.value?.items?.length,
    process: !!processes.data.value?.items?.length,
    run: !!green.data.value?.items?.length,
  }))
  return { wanted: missing, done }
}
