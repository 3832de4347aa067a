/** Does something once the picture that is being drawn stands, or would stand if somebody looked. */
export function afterPicture(act: () => void): void {
  if (document.hidden) setTimeout(act)
  else requestAnimationFrame(() => setTimeout(act))
}
