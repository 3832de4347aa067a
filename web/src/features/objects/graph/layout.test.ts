import { describe, expect, it } from 'vitest'
import { box, curve, picture, type Place } from './layout'
import { lines, reachedBy, type ObjectGraph } from './relations'

const node = (id: string, distance: number) => ({ object: `c:t/${id}`, name: id, type: 'c:t', distance })
const edge = (from: string, to: string, attribute = 'of') => ({ from: `c:t/${from}`, to: `c:t/${to}`, attribute })
const places = (of: ObjectGraph, down = false): Place[] => picture(of, down).places
const graph: ObjectGraph = {
  nodes: [node('shop', 0), node('stock', 1), node('db', 1), node('room', 2)],
  edges: [
    edge('shop', 'stock'),
    edge('shop', 'db'),
    edge('shop', 'db', 'spare'),
    edge('stock', 'db'),
    edge('db', 'room', 'in'),
    edge('db', 'db'),
  ],
  truncated: false,
}

describe('the graph of an object', () => {
  it('has one line between two objects, and none from one to itself', () => {
    expect(lines(graph).map((l) => `${l.from.slice(4)}>${l.to.slice(4)} ${l.attributes.join()}`)).toEqual([
      'shop>stock of',
      'shop>db of,spare',
      'stock>db of',
      'db>room in',
    ])
  })

  it('stands from left to right, and no object on another', () => {
    const at = new Map(places(graph).map((p) => [p.id.slice(4), p]))
    for (const l of lines(graph)) expect(at.get(l.from.slice(4))!.x + box.width).toBeLessThan(at.get(l.to.slice(4))!.x)
    const down = new Map(places(graph, true).map((p) => [p.id.slice(4), p]))
    for (const l of lines(graph)) expect(down.get(l.from.slice(4))!.y + box.height).toBeLessThan(down.get(l.to.slice(4))!.y)
  })

  it('leads no line across an object that it does not belong to', () => {
    const { places: all, ways } = picture(graph)
    const long = ways.get('c:t/shop c:t/db')!
    const stock = all.find((p) => p.id === 'c:t/stock')!
    expect(long.length).toBeGreaterThan(3)
    expect(long.filter((p) => p.x > stock.x && p.x < stock.x + box.width && p.y > stock.y && p.y < stock.y + box.height)).toEqual([])
  })

  it('draws soft lines through points', () => {
    const at = (x: number, y: number) => ({ x, y })
    expect(curve([at(0, 0), at(4, 0)])).toEqual({ path: 'M0,0 L4,0', middle: at(2, 0) })
    expect(curve([at(0, 0), at(4, 4), at(8, 0)])).toEqual({ path: 'M0,0 Q4,4 8,0', middle: at(4, 4) })
    expect(curve([at(0, 0), at(2, 2), at(4, 2), at(6, 0)])).toEqual({ path: 'M0,0 Q2,2 3,2 Q4,2 6,0', middle: at(3, 2) })
    expect(curve([]).path).toBe('')
  })

  it('goes in circles without an end', () => {
    const circle: ObjectGraph = { nodes: [node('a', 0), node('b', 1)], edges: [edge('a', 'b'), edge('b', 'a')], truncated: false }
    const [a, b] = places(circle)
    expect(Math.abs(a!.x - b!.x)).toBeGreaterThan(box.width)
  })

  it('places the most objects that there may be in a moment', () => {
    const many: ObjectGraph = {
      nodes: [node('a', 0), ...Array.from({ length: 399 }, (_, i) => node(`n${i}`, 1))],
      edges: Array.from({ length: 399 }, (_, i) => edge(`n${i}`, 'a')),
      truncated: true,
    }
    expect(new Set(places(many).map((p) => `${p.x} ${p.y}`)).size).toBe(400)
  })

  it('tells by which attributes an object is reached', () => {
    expect(reachedBy(graph, 'c:t/db').map((r) => `${r.from.slice(4)} ${r.attribute} ${r.own}`)).toEqual([
      'shop of false',
      'shop spare false',
    ])
    expect(reachedBy(graph, 'c:t/room')).toEqual([{ from: 'c:t/db', attribute: 'in', own: false }])
    expect(reachedBy(graph, 'c:t/shop')).toEqual([])
  })
})
