import { useI18n } from 'vue-i18n'
import { isCall } from './processes'
import { useServices, type Service } from './services'

interface Titled {
  process: string
  title?: string
}

/** The processes that call a service, as the server names them: the second ends where the service fails. */
const processesOf = (service: string) => ['call-', 'call-once-'].map((begin) => begin + service.replace(/[^\w.-]/g, '-'))

/** What the title of a call says beside its service: nothing, one object by its id, or how many. */
export function calledOn(title: string, service: string): { object?: string; n?: number } | undefined {
  if (title === service) return {}
  const on = title.startsWith(`${service} on `) ? title.slice(service.length + 4) : ''
  const many = /^(\d+) [a-z_]+$/.exec(on)
  return many ? { n: Number(many[1]) } : on ? { object: on } : undefined
}

/** What runs are called. The server calls a call of a service by its English title: in other languages it is said by theirs. */
export function useTitles() {
  const { t, locale } = useI18n()
  const services = useServices(() => locale.value !== 'en')
  const called = (process: string): Service | undefined =>
    locale.value !== 'en' && isCall(process) ? services.all.value.find((s) => processesOf(s.name).includes(process)) : undefined
  return {
    title(run: Titled): string {
      const s = called(run.process)
      const on = s && calledOn(run.title ?? '', s.action.title?.en || s.name)
      if (!s || !on) return run.title || run.process
      if (on.n !== undefined) return t('parts.called.many', { service: s.title, n: on.n })
      return on.object ? t('parts.called.on', { service: s.title, object: on.object }) : s.title
    },
    /** What the one step of a call is called; other steps have their names from their process. */
    step: (process: string, name?: string) => (called(process)?.title ?? name) || '',
  }
}
