import { useQuery } from '@tanstack/vue-query'
import { computed, ref, type Ref } from 'vue'
import { ask, client, type Schemas } from '@/api/client'
import { useSession } from '@/app/session'
import { useObjectStates } from '@/parts/objects'
import { compareText } from '@/ui/order'

export interface RoleRow {
  role: string
  project: string
  environment: string
  /** It is written by hand, beside the grid. */
  free: boolean
}

const everywhere = '*'

/** The environments of a project that are known: of its objects, its connections, and of roles that people have there. */
export function useEnvironments(people: Ref<Schemas['IdentityAccount'][]>, wanted: Ref<boolean>) {
  const session = useSession()
  const states = useObjectStates()
  const connections = useQuery({
    queryKey: computed(() => ['connections', session.project, 'environments']),
    queryFn: () => ask(client.GET('/api/v1/connections', { params: { query: { project: session.project, limit: 500 } } })),
    enabled: computed(() => wanted.value && session.can('connection.read')),
  })
  return computed(() => {
    const all = [
      ...(states.data.value?.items ?? []).map((s) => s.environment),
      ...(connections.data.value?.items ?? []).map((c) => c.environment),
      ...people.value
        .flatMap((u) => u.roles ?? [])
        .filter((r) => r.project === session.project)
        .map((r) => r.environment),
    ]
    return [everywhere, ...[...new Set(all)].filter((e): e is string => !!e && e !== everywhere).sort(compareText)]
  })
}

/** The roles of a person as they are changed: those of this project in known environments by a grid, all others line by line. */
export function useRoleRows(environments: Ref<string[]>) {
  const session = useSession()
  const rows = ref<RoleRow[]>([])
  const gridded = (r: RoleRow) => !r.free && r.project === session.project && environments.value.includes(r.environment)
  return {
    rows,
    /** What stands beside the grid. */
    others: computed(() => rows.value.filter((r) => !gridded(r))),
    begin: (roles: readonly { role: string; project: string; environment?: string }[]) =>
      (rows.value = roles.map((r) => ({ role: r.role, project: r.project, environment: r.environment ?? everywhere, free: false }))),
    has: (role: string, environment: string) => rows.value.some((r) => gridded(r) && r.role === role && r.environment === environment),
    toggle(role: string, environment: string) {
      const left = rows.value.filter((r) => !(gridded(r) && r.role === role && r.environment === environment))
      rows.value = left.length < rows.value.length ? left : [...left, { role, project: session.project, environment, free: false }]
    },
    add: () => rows.value.push({ role: 'viewer', project: session.project, environment: everywhere, free: true }),
    drop: (row: RoleRow) => (rows.value = rows.value.filter((r) => r !== row)),
    /** As the server takes them; what is empty holds everywhere. */
    given: () => rows.value.map(({ role, project, environment }) => ({ role, project, environment: environment || everywhere })),
  }
}
