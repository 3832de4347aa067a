import { createMemoryHistory, createRouter } from 'vue-router'
import { describe, expect, it } from 'vitest'
import { firstOf } from './first'
import { pageOf, pages } from './pages'

describe('pages', () => {
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [...pages, { path: '/:rest(.*)*', name: 'missing', component: { render: () => null } }],
  })

  it.each([
    '/',
    '/runs',
    '/runs/',
    '/runs/12',
    '/runs/12a',
    '/Runs',
    '/objects',
    '/objects/host:host',
    '/objects/host:host/web-1',
    '/objects/host:host/a/b.c',
    '/object-types/app',
    '/object-types/app/release',
    '/object-types',
    '/sign-in',
    '/nowhere',
    '/runs/1/2',
  ])('%s is the one that the router finds', (path) => {
    const found = router.resolve(path).matched[0]!
    expect(pageOf(path)?.name).toBe(found.name === 'missing' ? undefined : found.name)
  })
})

describe('what a page asks for first', () => {
  const page = {
    path: '/things/:kind/:id(.+)',
    component: {},
    meta: { first: ['api/v1/things/{kind}/{id}?project={project}', 'api/v1/kinds'] },
  }

  it('names the values of its path, and the project', () => {
    expect(firstOf(page, '/things/a:b/x%2Fy/z', '')).toEqual(['api/v1/me', 'api/v1/things/a%3Ab/x%2Fy%2Fz?project=default', 'api/v1/kinds'])
  })
  it('is a document in the language that is read', () => {
    const help = { path: '/help', component: {}, meta: { first: ['docs/a{translated}.md'] } }
    localStorage.setItem('sextant.locale', 'zh')
    expect(firstOf(help, '/help', '')).toContain('docs/a.zh-CN.md')
    localStorage.setItem('sextant.locale', 'en')
    expect(firstOf(help, '/help', '')).toContain('docs/a.md')
    localStorage.removeItem('sextant.locale')
  })
  it('is who is signed in alone, where a filter stands in the address', () => {
    expect(firstOf(page, '/things/a/b', '?state=failed')).toEqual(['api/v1/me'])
    expect(firstOf(undefined, '/nowhere', '')).toEqual(['api/v1/me'])
  })
  it('is nothing for those who are not signed in', () => {
    expect(firstOf(pageOf('/sign-in'), '/sign-in', '')).toEqual([])
  })
})
