import type { RouteRecordRaw } from 'vue-router'

export default [
  { path: '/people', name: 'people', component: () => import('./PeoplePage.vue'), meta: { titleKey: 'people.title', permission: 'user.read' } },
] satisfies RouteRecordRaw[]
