/** Does the same with each thing, a few at a time, and says how many failed; one failure holds up nothing else. */
export async function each<T>(things: T[], act: (thing: T) => Promise<unknown>, atOnce = 4): Promise<number> {
  const left = [...things]
  let failed = 0
  const work = async () => {
    for (let thing = left.shift(); thing !== undefined; thing = left.shift()) await act(thing).catch(() => failed++)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, things.length) }, work))
  return failed
}
