import type { RouteRecordRaw } from 'vue-router'

export default [
  {
    path: '/audit',
    name: 'audit',
    component: () => import('./AuditPage.vue'),
    meta: { titleKey: 'audit.title', textKey: 'audit.text', permission: 'audit.read', first: ['api/v1/audit?project={project}&limit=100'] },
  },
] satisfies RouteRecordRaw[]
