import type { RouteRecordRaw } from 'vue-router'

export default [{ path: '/audit', name: 'audit', component: () => import('./AuditPage.vue'), meta: { titleKey: 'audit.title', textKey: 'audit.text', permission: 'audit.read' } }] satisfies RouteRecordRaw[]
