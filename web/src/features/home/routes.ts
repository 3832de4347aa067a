import type { RouteRecordRaw } from 'vue-router'

export default [{ path: '/', name: 'home', component: () => import('./HomePage.vue'), meta: { titleKey: 'home.title', textKey: 'home.text', help: 'guide/first-ten-minutes.md' } }] satisfies RouteRecordRaw[]
