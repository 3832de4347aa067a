import type { RouteRecordRaw } from 'vue-router'

export default [
  {
    path: '/tasks',
    name: 'tasks',
    component: () => import('./TaskListPage.vue'),
    meta: { titleKey: 'tasks.title', textKey: 'tasks.text', permission: 'task.read', first: ['api/v1/tasks?project={project}&limit=200'] },
  },
] satisfies RouteRecordRaw[]
