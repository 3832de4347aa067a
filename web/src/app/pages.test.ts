import { createMemoryHistory, createRouter } from 'vue-router'
import { describe, expect, it } from 'vitest'
import { pageOf, pages } from './pages'

describe('pages', () => {
  const router = createRouter({ history: createMemoryHistory(), routes: [...pages, { path: '/:rest(.*)*', name: 'missing', component: { render: () => null } }] })

  it.each(['/', '/runs', '/runs/', '/runs/12', '/runs/12a', '/Runs', '/objects', '/objects/host:host', '/objects/host:host/web-1', '/objects/host:host/a/b.c', '/object-types/app', '/object-types/app/release', '/object-types', '/sign-in', '/nowhere', '/runs/1/2'])('%s is the one that the router finds', (path) => {
    const found = router.resolve(path).matched[0]!
    expect(pageOf(path)?.name).toBe(found.name === 'missing' ? undefined : found.name)
  })
})
