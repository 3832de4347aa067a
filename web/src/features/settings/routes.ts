import type { RouteRecordRaw } from 'vue-router'

export default [
  {
    path: '/settings',
    name: 'settings',
    component: () => import('./SettingsPage.vue'),
    meta: {
      titleKey: 'settings.title',
      textKey: 'settings.about',
      permission: 'setting.read',
      first: ['api/v1/settings?project={project}&limit=500'],
      help: 'operate/server.md',
    },
  },
] satisfies RouteRecordRaw[]
