// Ctrl-K works from the first script on: what is pressed, and typed after it,
// before there is a palette is kept for it: text, and the Enter that takes what it finds.

let waiting: string | undefined
let entered = false
let tell: (() => void) | undefined

export const opensPalette = (e: KeyboardEvent) => (e.ctrlKey || e.metaKey) && !e.altKey && e.key.toLowerCase() === 'k'

function press(e: KeyboardEvent): void {
  const opens = opensPalette(e)
  if (opens) {
    waiting ??= ''
    tell?.()
  } else if (waiting === undefined || !keep(e)) return
  e.preventDefault()
}

/** Keeps what is typed while the palette is waited for; whether the key is for it and it is waited for still. */
function keep(e: KeyboardEvent): boolean {
  if (e.key === 'Escape') takeTyped()
  else if (entered)
    return true // nothing follows an Enter
  else if (e.key === 'Enter') entered = true
  else if (e.key === 'Backspace') waiting = waiting!.slice(0, -1)
  else if (e.key.length === 1 && !e.ctrlKey && !e.metaKey) waiting += e.key
  else return false
  return waiting !== undefined
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
export function takeTyped(): { text: string; entered: boolean } {
  const typed = { text: waiting ?? '', entered }
  waiting = undefined
  entered = false
  return typed
}
