import type { Step } from './useRun'

/** What only routes a token: gateways, and starts and ends that nothing is known of. */
export function noise(s: Step): boolean {
  if (['incident', 'failed', 'timed_out', 'active', 'skipped'].includes(s.state)) return false
  return s.type === 'gateway' || s.type === 'start' || (s.type === 'end' && s.state === 'completed')
}

/** Parents before their children, which keep their order, and how deep each lies. */
export function ordered(steps: Step[]): { step: Step; depth: number }[] {
  const known = new Set(steps.map((s) => s.key))
  const children = new Map<string, Step[]>()
  for (const s of steps) {
    const under = s.parent && known.has(s.parent) ? s.parent : ''
    const of = children.get(under)
    if (of) of.push(s)
    else children.set(under, [s])
  }
  const out: { step: Step; depth: number }[] = []
  const walk = (key: string, depth: number) => {
    for (const step of children.get(key) ?? []) {
      out.push({ step, depth })
      walk(step.key, depth + 1)
    }
  }
  walk('', 0)
  return out
}

/** When a step did something itself: not while it waited for help or for a person. */
export function busy(s: Step, now: number): [number, number][] {
  if (s.type === 'user' || s.type === 'subprocess' || s.loop || s.type === 'timer' || s.type === 'message')
    return [[new Date(s.entered).getTime(), new Date(s.entered).getTime()]]
  const end = s.left ? new Date(s.left).getTime() : now
  const spans: [number, number][] = []
  let from = new Date(s.entered).getTime()
  for (const stop of s.stopped ?? []) {
    spans.push([from, new Date(stop.from).getTime()])
    from = stop.to ? new Date(stop.to).getTime() : end
  }
  spans.push([from, end])
  return spans
}
