// A card on the page of a host. It runs in a frame that reaches nobody: all it
// has is the element to draw in and the host object.
const texts = {
  en: (name) => [`Hello, ${name}!`, 'Greet it'],
  zh: (name) => [`你好，${name}！`, '问候'],
}

export function greeting(root, host) {
  host.style('p { margin: 0; font-size: 1rem; font-weight: 600; color: var(--text) } button { margin-top: 0.75rem; padding: 0.3125rem 0.75rem; font: inherit; color: var(--text); background: var(--surface); border: 1px solid var(--line-strong); border-radius: 7px; cursor: pointer }')
  const draw = () => {
    const [text, ask] = (texts[host.locale] ?? texts.en)(host.row.name)
    const line = document.createElement('p')
    line.textContent = text
    root.replaceChildren(line)
    if (!host.mayCall) return
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = ask
    button.addEventListener('click', () => void host.call('greeting', 'say')) // the console asks the person
    root.append(button)
  }
  host.onObject(draw)
  host.onLook(draw)
  draw()
}
