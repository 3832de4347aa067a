import type { RouteRecordRaw } from 'vue-router'

const meta = { titleKey: 'decisions.title', permission: 'decision.read', help: 'guide/decisions.md' }

export default [
  {
    path: '/decisions',
    name: 'decisions',
    component: () => import('./DecisionListPage.vue'),
    meta: { ...meta, textKey: 'decisions.about', first: ['api/v1/decisions?project={project}&limit=500'] },
  },
  {
    path: '/decisions/:decision',
    name: 'decision',
    component: () => import('./DecisionPage.vue'),
    meta: { ...meta, titleKey: 'decisions.one' },
  },
] satisfies RouteRecordRaw[]
