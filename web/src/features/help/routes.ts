import type { RouteRecordRaw } from 'vue-router'

export default [
  {
    path: '/help',
    name: 'help',
    component: () => import('./HelpPage.vue'),
    meta: { titleKey: 'help.title', first: ['docs/guide/first-ten-minutes{translated}.md'] },
  },
] satisfies RouteRecordRaw[]
