import type { RouteRecordRaw } from 'vue-router'

export default [
  {
    path: '/incidents',
    name: 'incidents',
    component: () => import('./IncidentListPage.vue'),
    meta: {
      titleKey: 'incidents.title',
      textKey: 'incidents.text',
      permission: 'run.read',
      first: ['api/v1/incidents?project={project}&limit=500'],
      help: 'operate/repair-a-run.md',
    },
  },
] satisfies RouteRecordRaw[]
