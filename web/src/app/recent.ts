import { ref } from 'vue'

/** A page that was looked at: one thing, not a list. */
export interface Visit {
  path: string
  title: string
  /** What it belongs to: its type, its process. */
  kind: string
}

const key = 'sextant.recent'
const most = 8

function kept(): Visit[] {
  try {
    const all: unknown = JSON.parse(localStorage.getItem(key) ?? '[]')
    return Array.isArray(all)
      ? (all as (Visit | null)[]).filter((v): v is Visit => typeof v?.path === 'string' && typeof v.title === 'string')
      : []
  } catch {
    return []
  }
}

/** What was looked at in this browser, the last first. */
export const recent = ref<Visit[]>(kept())

export function noteVisit(visit: Visit): void {
  recent.value = [visit, ...recent.value.filter((v) => v.path !== visit.path)].slice(0, most)
  localStorage.setItem(key, JSON.stringify(recent.value))
}

/** The next to sign in here may not see what this one saw. */
export function forgetVisits(): void {
  recent.value = []
  localStorage.removeItem(key)
}
