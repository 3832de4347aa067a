import type { RouteRecordRaw } from 'vue-router'

export default [
  {
    path: '/',
    name: 'home',
    component: () => import('./HomePage.vue'),
    meta: {
      titleKey: 'home.title',
      textKey: 'home.text',
      first: [
        'api/v1/tasks?project={project}&limit=6',
        'api/v1/incidents?project={project}&limit=6',
        'api/v1/runs?project={project}&state=active&limit=8',
        'api/v1/runs?project={project}&limit=10',
        'api/v1/processes?project={project}&limit=100',
      ],
      help: 'guide/first-ten-minutes.md',
    },
  },
] satisfies RouteRecordRaw[]
