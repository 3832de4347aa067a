/** By how much the server's clock is ahead of this machine's, in milliseconds. */
let ahead = 0

/** What is less is the way of an answer, and the seconds in which servers tell the time. */
const noise = 2500

/** Learns from an answer what time it is where things happen. */
export function noteTime(date: string | null, here = Date.now()): void {
  const there = date ? Date.parse(date) : NaN
  if (Number.isNaN(there)) return
  ahead = Math.abs(there - here) > noise ? there - here : 0
}

/** The time where things happen: a clock that is wrong here makes nothing older or younger than it is. */
export const serverNow = (): number => Date.now() + ahead
