import type { RouteRecordRaw } from 'vue-router'

const meta = { titleKey: 'objects.title', permission: 'object.read', help: 'guide/object-paths.md' }

export default [
  {
    path: '/objects',
    name: 'object-types',
    component: () => import('./ObjectTypesPage.vue'),
    meta: { ...meta, textKey: 'objects.about', first: ['api/v1/object-types', 'api/v1/plugins'] },
  },
  { path: '/objects/:type', name: 'objects', component: () => import('./ObjectListPage.vue'), meta },
  {
    path: '/object-types/:plugin/:name?',
    name: 'object-type',
    component: () => import('./TypePage.vue'),
    meta: { ...meta, permission: 'object.write' },
  },
  // An id may hold slashes and dots.
  {
    path: '/objects/:type/:id(.+)',
    name: 'object',
    component: () => import('./ObjectPage.vue'),
    meta: { ...meta, titleKey: 'objects.one' },
  },
] satisfies RouteRecordRaw[]
