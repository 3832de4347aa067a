import { mount } from '@vue/test-utils'
import { effectScope, nextTick, ref } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { i18n } from '@/i18n'
import ConfirmDialog from './ConfirmDialog.vue'
import { useOptions } from './combobox'
import { shares } from './counts'
import { initials, pick } from './initials'
import JsonView from './JsonView/JsonView.vue'
import { masked, nodes, opened } from './JsonView/nodes'
import { joinPath, samePath, splitPath } from './paths'
import Switch from './Switch.vue'

const global = { plugins: [i18n] }

describe('paths', () => {
  it('are written and read alike', () => {
    expect(joinPath(joinPath(joinPath('', 'a'), 2), 'b')).toBe('a[2].b')
    expect(splitPath('a[2].b')).toEqual(['a', 2, 'b'])
    expect(samePath('inputs.0.name', 'inputs[0].name')).toBe(true)
    expect(samePath('inputs[1].name', 'inputs[0].name')).toBe(false)
  })
})

describe('shares', () => {
  it('leave out nothing but zero and end at the whole', () => {
    const list = shares([
      { key: 'a', label: 'a', value: 1, tone: 'ok' },
      { key: 'b', label: 'b', value: 0, tone: 'bad' },
      { key: 'c', label: 'c', value: 3, tone: 'run' },
    ])
    expect(list.map((s) => [s.key, s.start, s.share])).toEqual([
      ['a', 0, 0.25],
      ['c', 0.25, 0.75],
    ])
  })
})

describe('initials', () => {
  it('are of words, of a login and of a Chinese name', () => {
    expect([initials('Ada Lovelace'), initials('deploy-bot'), initials('root'), initials('欧阳小明'), initials(' ')]).toEqual([
      'AL',
      'DB',
      'RO',
      '小明',
      '?',
    ])
    expect(pick('ada', 5)).toBe(pick('ada', 5))
  })
})

describe('the JSON tree', () => {
  const value = { name: 'x', db: { password: 'p', hosts: ['a', 'b'] }, nothing: null }
  it('shows what is open and hides secrets', () => {
    const list = nodes(value, opened(value, 2))
    expect(list.map((n) => n.path)).toEqual(['', 'name', 'db', 'db.password', 'db.hosts', 'nothing'])
    expect(list.find((n) => n.path === 'db.password')!.secret).toBe(true)
    expect(nodes(value, opened(value, 3)).map((n) => n.path)).toContain('db.hosts[1]')
    expect(masked(value, ['name'])).toEqual({ name: '***', db: { password: '***', hosts: ['a', 'b'] }, nothing: null })
  })
  it('opens and closes by keyboard', async () => {
    const view = mount(JsonView, { props: { value, label: 'v', levels: 1 }, global })
    expect(view.findAll('[role=treeitem]')).toHaveLength(4)
    const tree = view.get('[role=tree]')
    await tree.trigger('keydown', { key: 'ArrowDown' })
    await tree.trigger('keydown', { key: 'ArrowDown' })
    await tree.trigger('keydown', { key: 'ArrowRight' })
    expect(view.findAll('[role=treeitem]')).toHaveLength(6)
    expect(view.text()).not.toContain('"p"')
    await tree.trigger('keydown', { key: 'ArrowLeft' })
    expect(view.findAll('[role=treeitem]')).toHaveLength(4)
  })
})

describe('the options of a combobox', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())
  it('are those of the last question', async () => {
    const text = ref('')
    const answers: Record<string, (o: { value: string; label: string }[]) => void> = {}
    const scope = effectScope()
    const { found, busy } = scope.run(() => useOptions(text, ref(true), { load: () => (q) => new Promise((done) => (answers[q] = done)) }))!
    await vi.advanceTimersByTimeAsync(1)
    text.value = 'a'
    await nextTick()
    await vi.advanceTimersByTimeAsync(250)
    answers['a']!([{ value: 'a', label: 'A' }])
    answers['']!([{ value: 'old', label: 'old' }])
    await vi.advanceTimersByTimeAsync(1)
    expect([found.value.map((o) => o.value), busy.value]).toEqual([['a'], false])
    scope.stop()
  })
})

describe('controls', () => {
  it('turn with a press', async () => {
    const view = mount(Switch, { props: { label: 'x', modelValue: false } })
    await view.get('button').trigger('click')
    expect(view.emitted('update:modelValue')).toEqual([[true]])
  })
  it('ask for the name before what is dangerous', async () => {
    const view = mount(ConfirmDialog, {
      props: { open: true, title: 'Delete', text: 'Gone for good.', action: 'Delete', name: 'prod' },
      global,
      attachTo: document.body,
    })
    await nextTick()
    const go = [...document.querySelectorAll('button')].find((b) => b.textContent.trim() === 'Delete')!
    expect(go.disabled).toBe(true)
    const input = document.querySelector<HTMLInputElement>('input')!
    input.value = 'prod'
    input.dispatchEvent(new Event('input'))
    await nextTick()
    expect(go.disabled).toBe(false)
    view.unmount()
  })
})
