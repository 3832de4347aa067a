import { keepPreviousData, useQuery } from '@tanstack/vue-query'
import { Activity, Box, CircleStop, Clock, LogOut, Moon, ScrollText, Table2, Workflow, Zap, type LucideIcon } from 'lucide-vue-next'
import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { ask, client } from '@/api/client'
import { decisionPath } from '@/parts/decisions'
import { objectPath, splitRef, useObjectTypes } from '@/parts/objects'
import { isCall } from '@/parts/processes'
import { useServices, type Service } from '@/parts/services'
import { useTitles } from '@/parts/titles'
import { fits, readAsked } from './asked'
import { menu } from './menu'
import { recent } from './recent'
import { useSession } from './session'
import { useStop } from './stop'
import { isDark, theme } from './theme'

export interface Hit {
  id: string
  section: Section
  label: string
  hint?: string
  icon: LucideIcon
  /** What Enter will do, in words. */
  does: string
  go: () => void
}

const sections = ['recent', 'actions', 'objects', 'runs', 'processes', 'decisions', 'services', 'pages'] as const
export type Section = (typeof sections)[number]
/** With nothing asked, what is there to go to comes before what can be done. */
const resting: readonly Section[] = ['recent', 'pages', 'actions']
const few = 6

/** What a start is to be opened with. */
export interface Start {
  service?: string
  process?: string
  objects?: string[]
}

/** Finds what the palette offers for what is typed. */
export function usePalette(text: Ref<string>, open: Ref<boolean>, start: (what: Start) => void) {
  const { t } = useI18n()
  const titles = useTitles()
  const router = useRouter()
  const session = useSession()
  const stop = useStop()
  const types = useObjectTypes()
  const services = useServices()
  const asked = computed(() => readAsked(text.value))
  const words = computed(() => asked.value.on ?? asked.value.words)

  const found = useQuery({
    queryKey: computed(() => ['objects', 'search', session.project, words.value]),
    queryFn: ({ signal }) =>
      ask(client.GET('/api/v1/object-search', { params: { query: { text: words.value, project: session.project } }, signal })),
    enabled: computed(() => open.value && words.value.length > 1 && session.can('object.read')),
    staleTime: 5000,
    placeholderData: keepPreviousData,
  })
  const ran = useQuery({
    queryKey: computed(() => ['runs', session.project, 'palette', words.value]),
    queryFn: ({ signal }) =>
      ask(client.GET('/api/v1/runs', { params: { query: { project: session.project, text: words.value, limit: few } }, signal })),
    enabled: computed(() => open.value && words.value.length > 1 && session.can('run.read')),
    staleTime: 5000,
    placeholderData: keepPreviousData,
  })
  const processes = useQuery({
    queryKey: computed(() => ['processes', session.project, 'palette']),
    queryFn: () => ask(client.GET('/api/v1/processes', { params: { query: { project: session.project, limit: 500 } } })),
    enabled: computed(() => open.value && session.can('process.read')),
    staleTime: 30_000,
  })
  const decisions = useQuery({
    queryKey: computed(() => ['decisions', session.project, 'palette']),
    queryFn: () => ask(client.GET('/api/v1/decisions', { params: { query: { project: session.project, limit: 500 } } })),
    enabled: computed(() => open.value && session.can('decision.read')),
    staleTime: 30_000,
  })

  const visit = (path: string) => () => void router.push(path)
  const opens = computed(() => t('frame.search.does.open'))
  const objects = computed(() =>
    (words.value.length > 1 ? (found.data.value?.items ?? []) : []).filter((o) => fits(`${o.name} ${o.object}`, words.value)),
  )

  /** The services that act on objects of a type, those that fit what is asked first. */
  const acting = (type: string, words?: string): Service[] =>
    services.all.value.filter((s) => s.action.target === type && (!words || fits(`${s.title} ${s.name}`, words)))
  const onObjects = computed<Hit[]>(() => {
    if (!session.can('run.start')) return []
    const some = asked.value.on ? objects.value.slice(0, few) : objects.value.slice(0, 1)
    return some.flatMap((o) =>
      acting(splitRef(o.object).type, asked.value.act)
        .slice(0, asked.value.on ? few : 3)
        .map((s) => ({
          id: `on-${o.object}-${s.name}`,
          section: 'actions' as const,
          label: t('frame.search.on', { service: s.title, object: o.name }),
          hint: s.name,
          icon: Zap,
          does: t('frame.search.does.prepare'),
          go: () => start({ service: s.name, objects: [o.object] }),
        })),
    )
  })
  const general = computed<Hit[]>(() => {
    const all: (Hit & { may?: boolean })[] = [
      {
        id: 'stop',
        section: 'actions',
        label: t('frame.stop.button'),
        icon: CircleStop,
        does: t('frame.search.does.ask'),
        go: stop.ask,
        may: session.can('control.stop', '*') && !stop.active.value,
      },
      {
        id: 'theme',
        section: 'actions',
        label: t('frame.search.theme'),
        icon: Moon,
        does: t(isDark.value ? 'frame.search.does.light' : 'frame.search.does.dark'),
        go: () => (theme.value = isDark.value ? 'light' : 'dark'),
      },
      { id: 'account', section: 'actions', label: t('frame.user.account'), icon: LogOut, does: opens.value, go: visit('/account') },
    ]
    const who = asked.value.audit
    if (who && session.can('audit.read'))
      all.unshift({
        id: 'audit',
        section: 'actions',
        label: t('frame.search.audit', { who }),
        icon: ScrollText,
        does: opens.value,
        go: visit(`/audit?who=${encodeURIComponent(who)}`),
      })
    return all.filter(({ may = true, ...h }) => may && (h.id === 'audit' || !words.value || fits(h.label, words.value)))
  })

  const hits = computed<Hit[]>(() => {
    const w = words.value
    const last = w
      ? []
      : recent.value.map((v) => ({
          id: `r-${v.path}`,
          section: 'recent' as const,
          label: v.title,
          hint: v.kind,
          icon: Clock,
          does: opens.value,
          go: visit(v.path),
        }))
    const things = objects.value.map((o) => ({
      id: o.object,
      section: 'objects' as const,
      label: o.name,
      hint: `${types.titleOf(splitRef(o.object).type)} · ${splitRef(o.object).id}`,
      icon: Box,
      does: opens.value,
      go: visit(objectPath(splitRef(o.object).type, splitRef(o.object).id)),
    }))
    const runs = (w.length > 1 && !asked.value.on ? (ran.data.value?.items ?? []) : []).map((r) => ({
      id: `run-${r.key}`,
      section: 'runs' as const,
      label: titles.title(r),
      hint: t(`parts.run.state.${r.state}`),
      icon: Activity,
      does: opens.value,
      go: visit(`/runs/${r.key}`),
    }))
    if (!w) return [...last, ...pages(), ...general.value]
    const flows = (processes.data.value?.items ?? []).filter((p) => !isCall(p.process) && fits(`${p.name} ${p.process}`, w)).slice(0, few)
    const rules = (decisions.data.value?.items ?? []).filter((d) => fits(`${d.name} ${d.decision}`, w)).slice(0, few)
    const offered = asked.value.on ? [] : services.all.value.filter((s) => fits(`${s.title} ${s.name}`, w)).slice(0, few)
    return [
      ...onObjects.value,
      ...general.value,
      ...things,
      ...runs,
      ...flows.map((p) => ({
        id: `p-${p.process}`,
        section: 'processes' as const,
        label: p.name || p.process,
        hint: p.process,
        icon: Workflow,
        does: opens.value,
        go: visit(`/processes/${encodeURIComponent(p.process)}`),
      })),
      ...rules.map((d) => ({
        id: `d-${d.decision}`,
        section: 'decisions' as const,
        label: d.name || d.decision,
        hint: d.decision,
        icon: Table2,
        does: opens.value,
        go: visit(decisionPath(d.decision)),
      })),
      ...offered.map((s) => ({
        id: `s-${s.name}`,
        section: 'services' as const,
        label: s.title,
        hint: s.name,
        icon: Zap,
        does: t(session.can('run.start') ? 'frame.search.does.prepare' : 'frame.search.does.open'),
        go: session.can('run.start') ? () => start({ service: s.name }) : visit(`/plugins/${s.plugin}`),
      })),
      ...pages(),
    ]
  })
  function pages(): Hit[] {
    return menu
      .filter((m) => (!m.permission || session.can(m.permission)) && (!words.value || fits(t(m.labelKey), words.value)))
      .map((m) => ({
        id: m.to,
        section: 'pages' as const,
        label: t(m.labelKey),
        icon: m.icon as LucideIcon,
        does: opens.value,
        go: visit(m.to),
      }))
  }
  /** What fits the words best comes first: a section whose first entry begins with them. */
  const ordered = computed(() => {
    const all = (words.value ? sections : resting)
      .map((name) => ({ name, hits: hits.value.filter((h) => h.section === name) }))
      .filter((s) => s.hits.length)
    const w = words.value.toLowerCase()
    if (!w || asked.value.on || asked.value.audit) return all
    const best = (s: (typeof all)[number]) =>
      Math.min(
        ...s.hits.map((h) =>
          h.section === 'actions' && h.id.startsWith('on-')
            ? 2
            : h.label.toLowerCase() === w
              ? 0
              : h.label.toLowerCase().startsWith(w)
                ? 1
                : 2,
        ),
      )
    return [...all].sort((a, b) => best(a) - best(b))
  })
  const busy = computed(() => found.isFetching.value || ran.isFetching.value)
  return { sections: ordered, busy }
}
