/** Whether a press on a link is for the console; any other is the browser's: a new tab, a window, a download. */
export const isPlain = (e: MouseEvent) => !(e.metaKey || e.ctrlKey || e.shiftKey || e.altKey)
