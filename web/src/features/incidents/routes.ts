import type { RouteRecordRaw } from 'vue-router'

export default [{ path: '/incidents', name: 'incidents', component: () => import('./IncidentListPage.vue'), meta: { titleKey: 'incidents.title', textKey: 'incidents.text', permission: 'run.read', help: 'operate/repair-a-run.md' } }] satisfies RouteRecordRaw[]
