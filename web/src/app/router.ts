import { createRouter, createWebHistory } from 'vue-router'
import { base } from '@/api/base'
import { afterPicture } from '@/ui/picture'
import { fetchPage, pages } from './pages'
import { useSession } from './session'

declare module 'vue-router' {
  interface RouteMeta {
    /** The key of the page's title. */
    titleKey?: string
    /** The key of what stands below it, where that is the same for everybody. */
    textKey?: string
    /** The page is for those who are not signed in. */
    public?: boolean
    /** The permission without which the page is not offered. */
    permission?: string
    /** What the page asks the server for at once, below the base: sent for before the console is read. `{project}`, the names in the page's path and `{translated}`, the ending of a document in the language that is read, stand for their values. */
    first?: string[]
    /** The document that explains the page, below docs/. */
    help?: string
  }
}

export const router = createRouter({
  history: createWebHistory(base),
  routes: [
    ...pages,
    { path: '/:rest(.*)*', name: 'missing', component: () => import('./MissingPage.vue'), meta: { titleKey: 'frame.missing.title' } },
  ],
})

router.beforeEach(async (to, from) => {
  const session = useSession()
  // The page is on its way while the session is asked for.
  for (const { components } of to.matched) fetchPage({ component: components?.default as never })
  // A press is seen before another page is made.
  if (from.matched.length && to.path !== from.path) await new Promise<void>(afterPicture)
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
