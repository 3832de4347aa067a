import type { RouteRecordRaw } from 'vue-router'

export default [
  {
    path: '/people',
    name: 'people',
    component: () => import('./PeoplePage.vue'),
    meta: { titleKey: 'people.title', textKey: 'people.text', permission: 'user.read', first: ['api/v1/users?limit=500'] },
  },
] satisfies RouteRecordRaw[]
