import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { ask, client, type Schemas } from '@/api/client'
import { keptProject } from './project'
import { forgetVisits } from './recent'

type Me = Schemas['MeOutBody']

function matches(pattern: string, permission: string): boolean {
  return pattern === '*' || pattern === permission || (pattern.endsWith('.*') && permission.startsWith(pattern.slice(0, -1)))
}

/** Who is signed in, and what they may do in the project that is shown. */
export const useSession = defineStore('session', () => {
  const me = ref<Me>()
  const project = ref(keptProject())

  async function load() {
    me.value = await ask(client.GET('/api/v1/me'))
  }
  function forget() {
    me.value = undefined
    forgetVisits()
  }
  /** Whether a control is shown; the server decides for itself. */
  function can(permission: string, where = project.value): boolean {
    const m = me.value
    if (!m) return false
    if (m.scope && !m.scope.some((p) => matches(p, permission))) return false
    return (m.grants ?? []).some((g) => matches(g.permission, permission) && (g.project === '*' || g.project === where || where === '*'))
  }
  return { me, project, signedIn: computed(() => !!me.value), load, forget, can }
})
