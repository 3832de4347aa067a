import type { RouteRecordRaw } from 'vue-router'

export default [{ path: '/tasks', name: 'tasks', component: () => import('./TaskListPage.vue'), meta: { titleKey: 'tasks.title', permission: 'task.read' } }] satisfies RouteRecordRaw[]
