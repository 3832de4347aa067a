// Ctrl-K works from the first script on: what is pressed, and typed after it,
// before there is a palette is kept for it.

let waiting: string | undefined
let tell: (() => void) | undefined

export const opensPalette = (e: KeyboardEvent) => (e.ctrlKey || e.metaKey) && !e.altKey && e.key.toLowerCase() === 'k'

function press(e: KeyboardEvent): void {
  if (opensPalette(e)) {
    e.preventDefault()
    waiting ??= ''
    tell?.()
  } else if (waiting !== undefined && e.key === 'Escape') waiting = undefined
  else if (waiting !== undefined && e.key === 'Backspace') waiting = waiting.slice(0, -1)
  else if (waiting !== undefined && e.key.length === 1 && !e.ctrlKey && !e.metaKey) waiting += e.key
  else return
  if (waiting !== undefined) e.preventDefault()
}

/** Begins to listen, once for as long as the page is there. */
export function listenForPalette(): void {
  addEventListener('keydown', press)
}

/** Has the frame told of the key, and of one that was pressed before it stood. */
export function onPalette(open: () => void): void {
  tell = open
  if (waiting !== undefined) open()
}

/** What was typed for the palette since; from now on it listens itself. */
export function takeTyped(): string {
  const typed = waiting ?? ''
  waiting = undefined
  return typed
}
