import type { RouteRecordRaw } from 'vue-router'

export default [
  {
    path: '/runs',
    name: 'runs',
    component: () => import('./RunListPage.vue'),
    meta: {
      titleKey: 'runs.title',
      textKey: 'runs.text',
      permission: 'run.read',
      help: 'operate/repair-a-run.md',
      first: ['api/v1/runs?project={project}&limit=100', 'api/v1/processes?project={project}&limit=500'],
    },
  },
  {
    path: '/runs/:run(\\d+)',
    name: 'run',
    component: () => import('./RunPage.vue'),
    meta: { titleKey: 'runs.one', permission: 'run.read', help: 'operate/repair-a-run.md' },
  },
] satisfies RouteRecordRaw[]
