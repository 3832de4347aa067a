import type { RouteRecordRaw } from 'vue-router'

export default [
  {
    path: '/connections',
    name: 'connections',
    component: () => import('./ConnectionListPage.vue'),
    meta: {
      titleKey: 'connections.title',
      textKey: 'connections.about',
      permission: 'connection.read',
      first: ['api/v1/connections?project={project}&limit=500'],
      help: 'guide/own-script-own-host.md',
    },
  },
] satisfies RouteRecordRaw[]
