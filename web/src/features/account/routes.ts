import type { RouteRecordRaw } from 'vue-router'

export default [
  {
    path: '/account',
    name: 'account',
    component: () => import('./AccountPage.vue'),
    meta: { titleKey: 'account.title', textKey: 'account.text', first: ['api/v1/tokens?limit=100', 'api/v1/me/sessions?limit=100'] },
  },
] satisfies RouteRecordRaw[]
