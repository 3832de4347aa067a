import type { RouteRecordRaw } from 'vue-router'

const meta = { titleKey: 'processes.title', permission: 'process.read', help: 'guide/model-a-process.md' }

export default [
  {
    path: '/processes',
    name: 'processes',
    component: () => import('./ProcessListPage.vue'),
    meta: { ...meta, textKey: 'processes.about', first: ['api/v1/processes?project={project}&limit=500'] },
  },
  {
    path: '/processes/:process',
    name: 'process',
    component: () => import('./ProcessPage.vue'),
    meta: { ...meta, titleKey: 'processes.one' },
  },
] satisfies RouteRecordRaw[]
