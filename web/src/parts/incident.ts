import { useMutation, useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { ask, askExact, client, type Schemas } from '@/api/client'
import { toast } from '@/ui/toasts'
import { useServices, type Param } from './services'

export type Incident = Schemas['ProcessIncident']

/** Tries what an incident stopped again, as it was: only objects that are not done are called again. */
export function useRetry(incident: () => string) {
  const { t } = useI18n()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => ask(client.POST('/api/v1/incidents/{incident}/retry', { params: { path: { incident: incident() } }, body: {} })),
    onSuccess: () => {
      toast.ok(t('parts.incident.retried'))
      void queries.invalidateQueries({ queryKey: ['incidents'] })
    },
  })
}

/** What an incident stopped: its step, the objects that are done and those that are not, and the service that was called. */
export function useStopped(incident: Incident, enabled: Ref<boolean>) {
  const path = { run: incident.run }
  const services = useServices()
  const look = useQuery({
    queryKey: ['incidents', incident.project, incident.run, 'stopped', incident.key],
    enabled,
    staleTime: 0,
    queryFn: async () => {
      const steps = await ask(client.GET('/api/v1/runs/{run}/steps', { params: { path } }))
      const step = steps.items?.find((s) => s.incident === incident.key)
      if (!step?.job) return { step, rows: [], inputs: {} as Record<string, unknown> }
      const jobs = await ask(client.GET('/api/v1/runs/{run}/jobs', { params: { path } }))
      const rows = jobs.items?.find((j) => j.job === step.job)?.rows ?? []
      const first = rows.find((r) => !isDone(r.outcome)) ?? rows[0]
      const row =
        first &&
        (await askExact<Schemas['DispatchRowView']>(
          client.GET('/api/v1/jobs/{job}/row', { params: { path: { job: step.job }, query: { object: first.object } }, parseAs: 'text' }),
        ))
      return { step, rows, inputs: (row?.calls?.[0]?.inputs ?? {}) as Record<string, unknown> }
    },
  })
  const rows = computed(() => look.data.value?.rows ?? [])
  return {
    look,
    step: computed(() => look.data.value?.step),
    inputs: computed<Record<string, unknown>>(() => look.data.value?.inputs ?? {}),
    open: computed(() => rows.value.filter((r) => !isDone(r.outcome)).map((r) => r.object)),
    done: computed(() => rows.value.filter((r) => isDone(r.outcome)).map((r) => r.object)),
    /** The results that can be given in place of those that could not be written, and the inputs that the service takes, where it is known. */
    outputs: computed<Param[]>(() =>
      ['write_back', 'result'].includes(incident.kind) ? (services.find(look.data.value?.step?.service ?? '')?.action.output ?? []) : [],
    ),
    params: computed(() => services.find(look.data.value?.step?.service ?? '')?.action.input ?? []),
  }
}

const isDone = (outcome?: string) => outcome === 'ok' || outcome === 'skipped'
