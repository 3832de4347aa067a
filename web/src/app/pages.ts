import type { RouteRecordRaw } from 'vue-router'

/** Each feature brings its pages; the frame knows none of them. */
const features = import.meta.glob<{ default: RouteRecordRaw[] }>('../features/*/routes.ts', { eager: true })

export const pages = Object.values(features).flatMap((f) => f.default)

/** What a path of the router says as a pattern: "/objects/:type/:id(.+)", "/types/:name?". */
function pattern(path: string): RegExp {
  const text = path.replace(
    /(\/?):(\w+)(?:\(([^)]*)\))?(\?)?/g,
    (_, slash: string, name: string, of = '[^/]+', maybe = '') => `(?:${slash}(?<${name}>${of}))${maybe}`,
  )
  return new RegExp(`^${text}/?$`, 'i')
}

/** What a path says at the places of a page's pattern; undefined where the page is another. */
export function matched(page: RouteRecordRaw, path: string): Record<string, string> | undefined {
  const found = pattern(page.path).exec(path)
  return found ? Object.fromEntries(Object.entries(found.groups ?? {}).map(([name, value]) => [name, decoded(value)])) : undefined
}

/** A part of a path as it was before it was put there; what is no such part stays. */
function decoded(part = ''): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** The page of a path below the base, found before there is a router. */
export function pageOf(path: string): RouteRecordRaw | undefined {
  return pages.find((page) => matched(page, path))
}

/** Sends for the file of a page; who shows it finds it there, or what went wrong. */
export function fetchPage(page: Pick<RouteRecordRaw, 'component'> | undefined): void {
  if (typeof page?.component === 'function') void (page.component as () => Promise<unknown>)().catch(() => undefined)
}
