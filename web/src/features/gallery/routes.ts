import type { RouteRecordRaw } from 'vue-router'

export default [
  {
    path: '/gallery',
    name: 'gallery',
    component: () => import('./GalleryPage.vue'),
    meta: { titleKey: 'gallery.title', textKey: 'gallery.text' },
  },
] satisfies RouteRecordRaw[]
