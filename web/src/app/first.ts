import type { RouteRecordRaw } from 'vue-router'
import { preferred } from '@/i18n/texts'
import { matched } from './pages'
import { keptProject } from './project'

/** What a page will ask the server for as soon as it is there, without the base: who is signed in, and what its route names. */
export function firstOf(page: RouteRecordRaw | undefined, path: string, search: string): string[] {
  if (page?.meta?.public) return []
  // With a filter in the address it asks for something else.
  const paths = search ? [] : (page?.meta?.first ?? [])
  const values: Record<string, string> = {
    ...(page && matched(page, path)),
    project: keptProject(),
    translated: preferred() === 'zh' ? '.zh-CN' : '',
  }
  return ['api/v1/me', ...paths.map((p) => p.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? '')))]
}
