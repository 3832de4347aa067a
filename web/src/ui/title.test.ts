import { mount } from '@vue/test-utils'
import { nextTick, ref } from 'vue'
import { describe, expect, it } from 'vitest'
import { i18n } from '@/i18n'
import TimeAgo from './TimeAgo.vue'
import { pageTitle, usePageTitle } from './title'

const global = { plugins: [i18n] }

describe('the title of a page', () => {
  const page = (named: () => (string | undefined)[]) => mount({ setup: () => (usePageTitle(named), () => null) })
  it('follows what is shown, and is nobody’s once the page has gone', async () => {
    const name = ref('web-1')
    const first = page(() => [name.value, 'host', undefined])
    expect(pageTitle.value).toEqual(['web-1', 'host'])
    name.value = 'web-2'
    await nextTick()
    expect(pageTitle.value).toEqual(['web-2', 'host'])
    first.unmount()
    expect(pageTitle.value).toEqual([])
  })
  it('is that of the page that came, when the one before goes after it', () => {
    const before = page(() => ['before'])
    page(() => ['after'])
    before.unmount()
    expect(pageTitle.value).toEqual(['after'])
  })
})

describe('a time', () => {
  const text = (seconds: number) => mount(TimeAgo, { props: { at: new Date(Date.now() + seconds * 1000) }, global }).text()
  it('that has just come is not about to come', () => {
    expect([text(2), text(0), text(-0.4), text(5)]).toEqual(['just now', 'just now', 'just now', 'just now'])
  })
  it('before and after is told in words', () => {
    expect([text(-3), text(-7300), text(7300), text(-86400 * 3 - 5)]).toEqual(['3 s ago', '2 h ago', 'in 2 h', '3 days ago'])
  })
})
