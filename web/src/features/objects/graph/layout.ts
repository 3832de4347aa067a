import { Graph, layout } from '@dagrejs/dagre'
import { lines, type ObjectGraph } from './relations'

export interface Place {
  id: string
  x: number
  y: number
  width: number
  height: number
}

export const box = { width: 196, height: 54 }

export interface Point {
  x: number
  y: number
}

/** Where everything stands: the corners of the objects, and the points that each line goes through. */
export interface Picture {
  places: Place[]
  ways: Map<string, Point[]>
  width: number
  height: number
}

/** Places the objects from left to right: what refers stands before what it refers to, and no line crosses an object. */
export function picture(graph: ObjectGraph, down = false): Picture {
  const g = new Graph()
  g.setGraph({ rankdir: down ? 'TB' : 'LR', nodesep: 18, ranksep: down ? 56 : 84, edgesep: 14, marginx: 12, marginy: 12 })
  g.setDefaultEdgeLabel(() => ({}))
  for (const n of graph.nodes ?? []) g.setNode(n.object, { ...box })
  for (const l of lines(graph)) g.setEdge(l.from, l.to)
  layout(g)
  const size = g.graph() as { width?: number; height?: number }
  const places = (graph.nodes ?? []).map((n) => {
    const at = g.node(n.object) as unknown as Point
    return { id: n.object, x: at.x - box.width / 2, y: at.y - box.height / 2, ...box }
  })
  const ways = new Map(lines(graph).map((l) => [l.id, (g.edge(l.from, l.to) as unknown as { points: Point[] }).points]))
  return { places, ways, width: size.width ?? 0, height: size.height ?? 0 }
}

/** A soft line through points, as the path of an SVG, and the middle of it for a label. */
export function curve(points: Point[]): { path: string; middle: Point } {
  const between = (a: Point, b: Point) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 })
  const [first, ...rest] = points
  const last = points.at(-1)
  if (!first || !last) return { path: '', middle: { x: 0, y: 0 } }
  let path = `M${first.x},${first.y}`
  for (let i = 0; i < rest.length - 1; i++) {
    const to = i === rest.length - 2 ? last : between(rest[i]!, rest[i + 1]!)
    path += ` Q${rest[i]!.x},${rest[i]!.y} ${to.x},${to.y}`
  }
  if (rest.length < 2) path += ` L${last.x},${last.y}`
  const at = Math.floor((points.length - 1) / 2)
  return { path, middle: points.length % 2 ? points[at]! : between(points[at]!, points[at + 1]!) }
}
