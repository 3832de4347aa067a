const two = (n: number) => String(n).padStart(2, '0')

/** An instant as the browser's own control shows it: in the time of the place. */
export function toLocal(instant: string): string {
  const d = new Date(instant)
  if (Number.isNaN(d.getTime())) return ''
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`
}

/** The instant that was chosen there, with its offset. */
export function fromLocal(local: string): string {
  const d = new Date(local)
  if (Number.isNaN(d.getTime())) return local
  const off = -d.getTimezoneOffset()
  const zone = off === 0 ? 'Z' : `${off < 0 ? '-' : '+'}${two(Math.floor(Math.abs(off) / 60))}:${two(Math.abs(off) % 60)}`
  return toLocal(d.toISOString()) + zone
}
