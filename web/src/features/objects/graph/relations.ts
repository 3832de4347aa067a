import type { Schemas } from '@/api/client'

export type ObjectGraph = Schemas['ObjectGraph']
export type Along = 'both' | 'out' | 'in'

/** A reference towards the object in the middle; `own` where the object further away holds it. */
export interface Step {
  from: string
  attribute: string
  own: boolean
}

/** The references between two objects, once for all attributes that make them. Those of an object to itself are no line. */
export function lines(graph: ObjectGraph): { id: string; from: string; to: string; attributes: string[] }[] {
  const all = new Map<string, { id: string; from: string; to: string; attributes: string[] }>()
  for (const e of graph.edges ?? []) {
    if (e.from === e.to) continue
    const id = `${e.from} ${e.to}`
    const line = all.get(id) ?? { id, from: e.from, to: e.to, attributes: [] }
    if (!line.attributes.includes(e.attribute)) line.attributes.push(e.attribute)
    all.set(id, line)
  }
  return [...all.values()]
}

/** How an object at a distance is reached: by the references that lead one step nearer. */
export function reachedBy(graph: ObjectGraph, object: string): Step[] {
  const distance = new Map((graph.nodes ?? []).map((n) => [n.object, n.distance]))
  const nearer = (other: string) => (distance.get(other) ?? 0) === (distance.get(object) ?? 0) - 1
  return (graph.edges ?? []).flatMap((e): Step[] => {
    if (e.from === object && nearer(e.to)) return [{ from: e.to, attribute: e.attribute, own: true }]
    return e.to === object && nearer(e.from) ? [{ from: e.from, attribute: e.attribute, own: false }] : []
  })
}
