import { notifyManager, QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import { endAhead } from './api/ahead'
import { problemOf } from './api/problem'
import App from './app/App.vue'
import { router } from './app/router'
import { i18n, ready } from './i18n'
import './app/theme'

// What is there already is shown with the first picture.
notifyManager.setScheduler(queueMicrotask)

const queries = new QueryClient({
  defaultOptions: {
    // What is pressed while nothing can be reached is refused at once, not done at some later time.
    mutations: { networkMode: 'always' },
    queries: {
      staleTime: 15_000,
      refetchOnWindowFocus: true,
      // A refusal stays one; only what did not arrive is asked again.
      retry: (count, cause) => count < 2 && [0, 429, 502, 503, 504].includes(problemOf(cause).status),
    },
  },
})

// Texts first, and the page that is asked for: until then the bare frame stands.
const app = createApp(App).use(createPinia()).use(i18n).use(router).use(VueQueryPlugin, { queryClient: queries })
export const mounted = Promise.all([ready, router.isReady().catch(() => undefined)]).then(() => {
  app.mount('#app')
  setTimeout(endAhead)
})
