import type { RouteRecordRaw } from 'vue-router'

const meta = { titleKey: 'plugins.title', permission: 'plugin.read', help: 'plugin-authors/write-a-plugin.md' }

export default [
  {
    path: '/plugins',
    name: 'plugins',
    component: () => import('./PluginListPage.vue'),
    meta: { ...meta, textKey: 'plugins.about', first: ['api/v1/plugins', 'api/v1/object-types'] },
  },
  { path: '/plugins/:plugin', name: 'plugin', component: () => import('./PluginPage.vue'), meta: { ...meta, titleKey: 'plugins.one' } },
] satisfies RouteRecordRaw[]
