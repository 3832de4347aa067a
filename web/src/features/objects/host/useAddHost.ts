import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, onScopeDispose, reactive, ref, watch } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { ask, client } from '@/api/client'
import { Problem } from '@/api/problem'
import { useSession } from '@/app/session'
import { objectPath } from '@/parts/objects'
import { callOn, idOf, keysOf, nameOf, type Key } from './call'

/** The choice of a connection that is not there yet. */
export const fresh = '+'
const type = 'host:host'

/** Adds a host step by step: each is done once, and a step that failed can be tried again with other values. */
export function useAddHost(close: () => void) {
  const { t } = useI18n()
  const router = useRouter()
  const session = useSession()
  const queries = useQueryClient()
  const form = reactive({ address: '', name: '', connection: fresh, user: '', key: '', password: '', script: '' })
  const step = ref<'reach' | 'key' | 'script'>('reach')
  const busy = ref<'save' | 'scan' | 'login' | 'start'>()
  const cause = ref<unknown>()
  const keys = ref<Key[]>([])
  const facts = ref('')
  const made = ref<string>()
  const left = new AbortController()
  onScopeDispose(() => left.abort())

  const known = useQuery({
    queryKey: ['connections', session.project, 'ssh'],
    queryFn: () => ask(client.GET('/api/v1/connections', { params: { query: { project: session.project, limit: 500 } } })),
    enabled: () => session.can('connection.read'),
  })
  const ssh = computed(() => (known.data.value?.items ?? []).filter((c) => c.type === 'ssh').map((c) => c.name))
  const options = computed(() => [
    ...ssh.value.map((name) => ({ value: name, label: name })),
    { value: fresh, label: t('objects.host.newConnection') },
  ])
  watch(ssh, (names) => form.connection === fresh && !form.user && names[0] && (form.connection = names[0]), { immediate: true })
  let called = ''
  watch(
    () => form.address,
    (address) => {
      if (form.name === called) form.name = called = nameOf(address)
    },
  )

  const query = { project: session.project }
  const object = () => `${type}/${made.value}`
  /** Does the parts of a step one after the other, and says which one is at work. */
  async function doing(work: () => Promise<void>) {
    cause.value = undefined
    try {
      await work()
    } catch (e) {
      if (!left.signal.aborted) cause.value = e
    } finally {
      busy.value = undefined
    }
  }
  const call = (service: string, variables: Record<string, unknown>) =>
    callOn(session.project, service, object(), variables, t('objects.host.gaveUp'), left.signal)

  async function saveConnection() {
    if (form.connection !== fresh) return
    if (!form.key.trim() && !form.password) throw new Problem({ status: 422, code: 'console.error', title: t('objects.host.needsSecret') })
    const taken = new Set((known.data.value?.items ?? []).map((c) => c.name))
    const stem = idOf(`${form.user}-${form.name}`) || 'ssh'
    let name = stem
    for (let n = 2; taken.has(name); n++) name = `${stem}-${n}`
    const secrets: Record<string, string> = form.key.trim() ? { private_key: form.key.trimEnd() + '\n' } : { password: form.password }
    await ask(
      client.PUT('/api/v1/connections/{name}', {
        params: { path: { name }, query, header: { 'If-Match': '"0"' } },
        body: { type: 'ssh', fields: { user: form.user.trim() }, secrets },
      }),
    )
    await queries.invalidateQueries({ queryKey: ['connections'] })
    form.connection = name
    form.key = form.password = ''
  }
  async function saveHost() {
    const row = { name: form.name.trim() || nameOf(form.address), address: form.address.trim() }
    if (made.value)
      await ask(client.PATCH('/api/v1/objects/{type}', { params: { path: { type }, query }, body: [{ id: made.value, ...row }] as never }))
    else {
      const id = idOf(row.name)
      const page = await ask(
        client.POST('/api/v1/objects/{type}', { params: { path: { type }, query }, body: [{ ...(id ? { id } : {}), ...row }] as never }),
      )
      made.value = String((page.items?.[0] as { id?: unknown } | undefined)?.id ?? id)
    }
    void queries.invalidateQueries({ queryKey: ['object-counts'] })
    void queries.invalidateQueries({ queryKey: ['objects'] })
  }
  const connect = () =>
    doing(async () => {
      busy.value = 'save'
      await saveConnection()
      await saveHost()
      busy.value = 'scan'
      keys.value = keysOf(await call('host/keys/scan', {}))
      step.value = 'key'
    })
  const confirm = () =>
    doing(async () => {
      busy.value = 'login'
      await ask(
        client.PATCH('/api/v1/objects/{type}', {
          params: { path: { type }, query },
          body: [{ id: made.value, host_key: keys.value.map((k) => k.line).join('\n') }] as never,
        }),
      )
      const got = await call('host/facts/collect', { credential: `connection/${form.connection}` })
      facts.value = t('objects.host.ready', {
        name: form.name,
        os: String(got.os ?? '–'),
        cpus: Number(got.cpus ?? 0),
        memory: Math.round(Number(got.memory_mb ?? 0) / 1024),
      })
      await queries.invalidateQueries({ queryKey: ['objects'] })
      step.value = 'script'
    })
  const run = () =>
    doing(async () => {
      busy.value = 'start'
      const verdict = await ask(
        client.POST('/api/v1/calls', {
          body: {
            project: session.project,
            service: 'host/script/run',
            objects: [object()],
            variables: { script: form.script, credential: `connection/${form.connection}` },
          },
        }),
      )
      close()
      await router.push(`/runs/${verdict.run}`)
    })
  function finish() {
    close()
    void router.push(objectPath(type, made.value!))
  }
  return { form, step, busy, cause, keys, facts, options, connect, confirm, run, finish }
}
