import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { base } from '@/api/base'
import { useSession } from './session'

declare module 'vue-router' {
  interface RouteMeta {
    /** The key of the page's title. */
    titleKey?: string
    /** The page is for those who are not signed in. */
    public?: boolean
    /** The permission without which the page is not offered. */
    permission?: string
    /** The document that explains the page, below docs/. */
    help?: string
  }
}

/** Each feature brings its routes; the frame knows none of them. */
const features = import.meta.glob<{ default: RouteRecordRaw[] }>('../features/*/routes.ts', { eager: true })

export const router = createRouter({
  history: createWebHistory(base),
  routes: [...Object.values(features).flatMap((f) => f.default), { path: '/:rest(.*)*', name: 'missing', component: () => import('./MissingPage.vue'), meta: { titleKey: 'frame.missing.title' } }],
})

router.beforeEach(async (to) => {
  const session = useSession()
  // The page is on its way while the session is asked for.
  for (const { components } of to.matched) if (typeof components?.default === 'function') void (components.default as () => Promise<unknown>)().catch(() => undefined)
  if (to.meta.public) return true
  if (!session.signedIn) {
    try {
      await session.load()
    } catch {
      return { name: 'sign-in', query: to.fullPath === '/' ? {} : { next: to.fullPath } }
    }
  }
  return true
})
