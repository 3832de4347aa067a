// The card of a host: what the machine is, as it was last asked.
const texts = {
  en: { os: 'Operating system', kernel: 'Kernel', cpus: 'CPUs', memory: 'Memory', none: 'Nobody has asked this host yet what it is.', ask: 'Ask it', again: 'Ask again' },
  zh: { os: '操作系统', kernel: '内核', cpus: 'CPU 数', memory: '内存', none: '尚未采集此主机的信息。', ask: '采集信息', again: '重新采集' },
}

const style = `
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: 0.75rem 1rem; margin: 0; }
.facts .wide { grid-column: 1 / -1; }
.facts dt { font-size: 0.75rem; color: var(--muted); }
.facts dd { margin: 0; overflow-wrap: anywhere; color: var(--text); }
.facts .figure { font-size: 1.25rem; font-weight: 600; line-height: 1.4; font-variant-numeric: tabular-nums; }
.facts .unit { font-size: 0.8125rem; font-weight: 400; color: var(--muted); }
p { margin: 0; color: var(--muted); }
button { margin-top: 0.875rem; padding: 0.3125rem 0.75rem; font: inherit; font-size: 0.75rem; font-weight: 500; color: var(--text); background: var(--surface); border: 1px solid var(--line-strong); border-radius: 7px; cursor: pointer; }
button:hover { background: var(--sunken); }
button:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
`

function element(name, text, kind) {
  const e = document.createElement(name)
  if (text !== undefined) e.textContent = text
  if (kind) e.className = kind
  return e
}

function fact(list, name, value, unit) {
  const entry = element('div', undefined, unit === undefined ? 'wide' : '')
  const shown = element('dd', value, unit === undefined ? '' : 'figure')
  if (unit) shown.append(' ', element('span', unit, 'unit'))
  entry.append(element('dt', name), shown)
  list.append(entry)
}

/** How much memory there is, in the unit that people know it by. */
function memory(mb, locale) {
  const big = mb >= 1024
  return [new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }).format(big ? mb / 1024 : mb), big ? 'GiB' : 'MiB']
}

/** The card: draws the facts of a host, and asks for them where one may. */
export function facts(root, host) {
  host.style(style)
  const draw = () => {
    const t = texts[host.locale] ?? texts.en
    const row = host.row
    root.replaceChildren()
    if (row.os || row.cpus || row.memory_mb) {
      const list = element('dl', undefined, 'facts')
      if (row.os) fact(list, t.os, [row.os, row.arch].filter(Boolean).join(' · '))
      if (row.cpus) fact(list, t.cpus, new Intl.NumberFormat(host.locale).format(row.cpus), '')
      if (row.memory_mb) fact(list, t.memory, ...memory(Number(row.memory_mb), host.locale))
      if (row.kernel) fact(list, t.kernel, row.kernel)
      root.append(list)
    } else {
      root.append(element('p', t.none))
    }
    if (!host.mayCall) return
    const button = element('button', row.os ? t.again : t.ask)
    button.type = 'button'
    button.addEventListener('click', () => void host.call('facts', 'collect'))
    root.append(button)
  }
  host.onObject(draw)
  host.onLook(draw)
  draw()
}
