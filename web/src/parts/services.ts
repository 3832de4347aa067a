import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import { ask, client, type Schemas } from '@/api/client'
import { useSession } from '@/app/session'
import type { Tone } from '@/ui/Badge.vue'
import { inLocale } from './objects'

export type Action = Schemas['WireAction']
export type Param = Schemas['WireParam']

/** A service of a plugin, <plugin>/<service>/<action>. */
export interface Service {
  name: string
  plugin: string
  title: string
  action: Action
}

export const riskTone: Record<string, Tone> = { read: 'idle', change: 'warn', destructive: 'bad' }

/** Whether the manifest takes an input from elsewhere: the object that the service is called on, or a setting. */
export const fromElsewhere = (p: Param) => Boolean(p.from)

export function usePlugins(wanted: () => boolean = () => true) {
  const session = useSession()
  return useQuery({
    queryKey: ['plugins'],
    queryFn: () => ask(client.GET('/api/v1/plugins')),
    staleTime: 60_000,
    enabled: computed(() => wanted() && session.can('plugin.read')),
  })
}

/** Every service of every plugin, where they are wanted. */
export function useServices(wanted?: () => boolean) {
  const { locale } = useI18n()
  const query = usePlugins(wanted)
  const all = computed<Service[]>(() =>
    (query.data.value?.items ?? []).flatMap((m) =>
      (m.services ?? []).flatMap((s) =>
        (s.actions ?? []).map((a) => ({
          name: `${m.plugin}/${s.name}/${a.action}`,
          plugin: m.plugin,
          title: inLocale(a.title, locale.value) || `${s.name} ${a.action}`,
          action: a,
        })),
      ),
    ),
  )
  return { query, all, find: (name: string) => all.value.find((s) => s.name === name) }
}
