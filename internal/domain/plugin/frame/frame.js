// The inner side of the frame around a card. The frame has no origin, no cookies
// and no connections; all that it can do is ask the console through one port,
// and the console decides.
'use strict'
;(() => {
  const card = document.getElementById.bind(document, 'card')
  const home = new URL('../../', location.href)
  const heard = { object: new Set(), look: new Set() }
  const open = new Map()
  let last = 0
  let port
  let state

  const ask = (method, params) =>
    new Promise((done, failed) => {
      const id = ++last
      open.set(id, { done, failed })
      port.postMessage({ id, method, params })
    })
  const on = (what) => (fn) => {
    heard[what].add(fn)
    return () => heard[what].delete(fn)
  }

  function look(now) {
    document.documentElement.lang = now.locale
    document.documentElement.dataset.theme = now.theme
    document.documentElement.style.colorScheme = now.theme
    for (const [name, value] of Object.entries(now.tokens)) document.documentElement.style.setProperty(name, value)
  }

  const host = {
    get object() { return state.object },
    get type() { return state.type },
    get row() { return state.row },
    get locale() { return state.locale },
    get theme() { return state.theme },
    get mayCall() { return state.mayCall },
    onObject: on('object'),
    onLook: on('look'),
    read: () => ask('object.read'),
    call: (service, action) => ask('service.call', { service, action }),
    open: (object) => ask('object.open', { object }),
    style(text) {
      const sheet = new CSSStyleSheet()
      sheet.replaceSync(text)
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
    },
  }

  const told = {
    answer: (m) => {
      const waiting = open.get(m.id)
      open.delete(m.id)
      if (m.error) waiting?.failed(Object.assign(new Error(m.error.message), { code: m.error.code }))
      else waiting?.done(m.result)
    },
    object: (m) => {
      state.row = m.row
      for (const fn of heard.object) fn(m.row)
    },
    look: (m) => {
      Object.assign(state, m.look)
      look(state)
      for (const fn of heard.look) fn()
    },
  }

  async function begin(start) {
    state = start.state
    look(state)
    try {
      const module = await import(new URL(start.entry, home).href)
      const mount = module[start.export]
      if (typeof mount !== 'function') throw new Error(`the module exports no function ${start.export}`)
      await mount(card(), host)
      port.postMessage({ method: 'ready' })
    } catch (cause) {
      port.postMessage({ method: 'failed', params: { message: String(cause?.message ?? cause).slice(0, 500) } })
    }
    new ResizeObserver(() => port.postMessage({ method: 'size', params: { height: Math.ceil(document.documentElement.getBoundingClientRect().height) } })).observe(document.documentElement)
  }

  addEventListener('message', (e) => {
    // The first word comes from the console, with the port; later ones by the port alone.
    if (port || e.source !== parent || e.origin !== home.origin || e.ports.length !== 1) return
    port = e.ports[0]
    port.onmessage = (m) => (m.data.kind === 'begin' ? void begin(m.data) : told[m.data.kind]?.(m.data))
  })
  parent.postMessage('sextant card', home.origin)
})()
