import { flushPromises, mount } from '@vue/test-utils'
import { defineComponent, effectScope, nextTick, ref } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { i18n } from '@/i18n'
import DataTable from '../DataTable.vue'
import FilterBar from '../FilterBar.vue'
import { fitting, frame, sorted, turned, type Column } from './columns'
import { atOnce, usePlaces } from './places'
import { useSelection } from './selection'
import { useTableState, type TableState } from './state'

interface Host {
  id: string
  name: string
  cpu: number | null
}
const columns: Column<Host>[] = [
  { key: 'name', label: 'Name', sortable: true, primary: true, min: 200, flex: 2 },
  { key: 'cpu', label: 'CPU', width: 80, align: 'end', sortable: true },
]
const hosts = (n: number): Host[] =>
  Array.from({ length: n }, (_, i) => ({ id: `h${i}`, name: `host-${i}`, cpu: i % 7 ? (i * 37) % 100 : null }))
const blank = { template: '<div />' }
const routes = () =>
  createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/', component: blank },
      { path: '/hosts/:id', component: blank },
    ],
  })

describe('columns', () => {
  it('share one frame', () => {
    expect(frame(columns, true, 50)).toEqual({ template: '44px minmax(200px, 2fr) 80px 50px', min: 374 })
  })
  it('order rows, what has no value last', () => {
    const rows = hosts(12)
    expect(sorted(rows, columns, { key: 'name', desc: true })[0]!.name).toBe('host-11')
    expect(sorted(rows, columns, { key: 'cpu', desc: true }).at(-1)!.cpu).toBeNull()
    expect(sorted(rows, columns, { key: 'cpu' }).at(-1)!.cpu).toBeNull()
    expect([turned(undefined, 'a'), turned({ key: 'a' }, 'a'), turned({ key: 'a', desc: true }, 'a'), turned({ key: 'a' }, 'b')]).toEqual([
      { key: 'a' },
      { key: 'a', desc: true },
      undefined,
      { key: 'b' },
    ])
  })
})

describe('places', () => {
  /** Drawing takes so many milliseconds each time. */
  function setup(given: string[], took = 10) {
    const keys = ref(given)
    const scope = effectScope()
    let now = 0
    const placed = scope.run(() =>
      usePlaces(
        () => keys.value.map((key, index) => ({ key, row: key, at: { index } })),
        ({ index }) => index >= 2,
        () => (now += took),
      ),
    )!
    const shown = () => placed.value.map((p) => `${p.place}:${p.key}${p.late ? ' late' : ''}`)
    return { keys, shown, scope }
  }
  const of = (letter: string, n: number) => Array.from({ length: n }, (_, i) => letter + i)
  const names = (shown: string[]) => shown.map((p) => p.slice(p.indexOf(':') + 1))

  it("stay a row's own while it is in view, and are filled anew after it", () => {
    const { keys, shown, scope } = setup(['a', 'b'])
    expect(shown()).toEqual(['0:a', '1:b'])
    keys.value = ['x', 'b', 'd'] // a left, two came
    expect(shown()).toEqual(['0:x', '1:b', '2:d'])
    keys.value = ['p', 'q']
    expect(names(shown())).toEqual(['p', 'q'])
    scope.stop()
  })
  it('are filled a few with each picture, those in sight first', async () => {
    const { keys, shown, scope } = setup([])
    keys.value = of('a', 12)
    expect(shown()).toHaveLength(atOnce)
    await vi.waitFor(() => expect(shown()).toHaveLength(12))
    keys.value = of('b', 12)
    expect(shown().filter((p) => p.includes('late'))).toHaveLength(12 - atOnce)
    expect(
      shown().some((p) => /b[01]$/.test(p)),
      'what is out of sight comes last',
    ).toBe(false)
    await vi.waitFor(() => expect(shown().some((p) => p.includes('late'))).toBe(false))
    expect(names(shown())).toEqual(of('b', 12))
    expect(new Set(shown().map((p) => p.slice(0, p.indexOf(':')))), 'no place is new').toEqual(new Set(of('', 12)))
    scope.stop()
  })
  it('are filled a few with the picture that answers, and more with those after it', async () => {
    const { keys, shown, scope } = setup([], 2)
    keys.value = of('a', 12)
    await vi.waitFor(() => expect(shown()).toHaveLength(12))
    const filled: number[] = []
    keys.value = of('b', 12)
    await vi.waitFor(() => {
      const n = shown().filter((p) => !p.includes('late')).length
      if (filled.at(-1) !== n) filled.push(n)
      expect(n).toBe(12)
    })
    expect(filled).toEqual([atOnce, 12])
    keys.value = [...of('c', 6), ...of('b', 6)]
    expect(names(shown()), 'what fits comes at once').toEqual(keys.value)
    scope.stop()
  })
  it('are filled at once where there is time for it', async () => {
    const { keys, shown, scope } = setup([], 1)
    keys.value = of('a', 30)
    await vi.waitFor(() => expect(shown()).toHaveLength(30))
    keys.value = of('b', 30)
    expect(names(shown())).toEqual(of('b', 30))
    scope.stop()
  })
})

describe('a selection', () => {
  it('takes one, a stretch and all', () => {
    const model = ref<string[]>([])
    const s = useSelection(() => ['a', 'b', 'c', 'd'], model)
    s.toggle(1)
    s.stretch(3)
    expect(model.value).toEqual(['b', 'c', 'd'])
    expect(s.shown.value).toBe('some')
    s.all()
    expect([...model.value].sort()).toEqual(['a', 'b', 'c', 'd'])
    s.toggle(0)
    s.stretch(2)
    expect(model.value).toEqual(['d'])
  })
})

describe('the state of a table', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())
  async function setup(at: string) {
    const router = routes()
    await router.push(at)
    let state!: TableState<'state'>
    const page = defineComponent({ setup: () => ((state = useTableState({ filters: ['state'], sort: { key: 'name' } })), () => null) })
    mount(page, { global: { plugins: [router] } })
    return { router, state }
  }
  const rest = async () => {
    await nextTick()
    await vi.advanceTimersByTimeAsync(300)
    await flushPromises()
  }

  it('is read from the address', async () => {
    const { state } = await setup('/?q=db&sort=-cpu&state=ok&sel=h1,h2')
    expect([state.text.value, state.sort.value, state.filters.state, state.selection.value]).toEqual([
      'db',
      { key: 'cpu', desc: true },
      'ok',
      ['h1', 'h2'],
    ])
    expect(state.narrowed.value).toBe(true)
  })
  it('is written to it, and followed back', async () => {
    const { router, state } = await setup('/?keep=1')
    state.text.value = 'web'
    state.filters.state = 'bad'
    state.sort.value = undefined
    await rest()
    expect(router.currentRoute.value.query).toEqual({ keep: '1', q: 'web', state: 'bad', sort: '-' })
    expect(state.asked.value).toMatchObject({ text: 'web', sort: undefined, filters: { state: 'bad' } })
    await router.push('/?q=other')
    await rest()
    expect([state.text.value, state.filters.state, state.sort.value]).toEqual(['other', '', { key: 'name' }])
    state.clear()
    await rest()
    expect(router.currentRoute.value.query).toEqual({})
  })
  it('writes nothing to the address of another page', async () => {
    const { router, state } = await setup('/')
    state.text.value = 'late'
    await router.push('/hosts/1')
    await rest()
    expect(router.currentRoute.value.fullPath).toBe('/hosts/1')
  })
  it('shows as chips that can be taken away', async () => {
    const { state } = await setup('/?state=ok')
    const bar = mount(FilterBar<'state'>, {
      props: { state, filters: [{ key: 'state', label: 'State', options: [{ value: 'ok', label: 'Good' }] }] },
      global: { plugins: [i18n] },
    })
    expect(bar.text()).toContain('State: Good')
    await bar.get('button').trigger('click')
    expect(state.filters.state).toBe('')
  })
})

describe('a table', () => {
  const tall = Object.getOwnPropertyDescriptor(HTMLElement.prototype, 'offsetHeight')!
  const broad = Object.getOwnPropertyDescriptor(HTMLElement.prototype, 'offsetWidth')!
  beforeAll(() => {
    Object.defineProperty(HTMLElement.prototype, 'offsetHeight', { configurable: true, get: () => 400 })
    Object.defineProperty(HTMLElement.prototype, 'offsetWidth', { configurable: true, get: () => 1000 })
  })
  afterAll(() => {
    Object.defineProperty(HTMLElement.prototype, 'offsetHeight', tall)
    Object.defineProperty(HTMLElement.prototype, 'offsetWidth', broad)
  })
  async function table(props: Record<string, unknown>) {
    const router = routes()
    await router.push('/')
    const view = mount(DataTable<Host>, {
      props: { label: 'Hosts', columns, rows: [], rowKey: (h: Host) => h.id, ...props },
      global: { plugins: [i18n, router] },
      attachTo: document.body,
    })
    // Rows are drawn after the first picture.
    for (let i = 0; i < 8; i++) await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))
    await nextTick()
    return { view, router }
  }

  it('draws a few of a hundred thousand rows, as links', { timeout: 30_000 }, async () => {
    const { view } = await table({ rows: hosts(100_000), to: (h: Host) => `/hosts/${h.id}` })
    const rows = view.findAll('[role=row]')
    expect(rows.length).toBeGreaterThan(8)
    expect(rows.length).toBeLessThan(40)
    expect(view.get('[role=grid]').attributes('aria-rowcount')).toBe('100001')
    expect(rows[1]!.get('a').attributes('href')).toBe('/hosts/h0')
    view.unmount()
  })
  it('is worked by keyboard', async () => {
    const { view, router } = await table({ rows: hosts(50), selectable: true, to: (h: Host) => `/hosts/${h.id}` })
    const grid = view.get('[role=grid]')
    await grid.trigger('keydown', { key: 'ArrowDown' })
    await grid.trigger('keydown', { key: ' ' })
    expect(view.emitted('update:selection')!.at(-1)).toEqual([['h1']])
    await grid.trigger('keydown', { key: 'ArrowDown', shiftKey: true })
    expect(view.emitted('update:selection')!.at(-1)).toEqual([['h1', 'h2']])
    await grid.trigger('keydown', { key: 'Enter' })
    await flushPromises()
    expect(router.currentRoute.value.path).toBe('/hosts/h2')
    expect(view.emitted('open')).toHaveLength(1)
    view.unmount()
  })
  it('turns its order and asks for more at its end', async () => {
    const { view } = await table({ rows: hosts(6), hasMore: true })
    expect(view.emitted('more')).toBeTruthy()
    await view.get('[role=columnheader] button').trigger('click')
    expect(view.emitted('update:sort')).toEqual([[{ key: 'name' }]])
    view.unmount()
  })
  it('shows that it waits, failed or is empty', async () => {
    expect((await table({ loading: true })).view.find('[role=status]').exists()).toBe(true)
    expect((await table({ error: new Error('gone') })).view.get('[role=alert]').text()).toContain('gone')
    expect((await table({ emptyTitle: 'No hosts' })).view.text()).toContain('No hosts')
  })
})

describe('the columns of a table', () => {
  const columns = [
    { key: 'name', label: 'Name', min: 200 },
    { key: 'fields', label: 'Fields', min: 150, wideOnly: true },
    { key: 'state', label: 'State', width: 120 },
    { key: 'by', label: 'By', min: 100, wideOnly: true },
  ]
  it.each([
    [0, 'name fields state by'],
    [700, 'name fields state by'],
    [668, 'name fields state'],
    [560, 'name state'],
    [100, 'name state'],
  ])('at %i px are %s', (width, keys) =>
    expect(
      fitting(columns, width, true, 56)
        .map((c) => c.key)
        .join(' '),
    ).toBe(keys),
  )
})
