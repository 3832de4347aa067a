import { describe, expect, it } from 'vitest'
import { draftOf, emptyAttribute, emptyDraft, placed, steps, together, type Draft } from './draft'

const stored = () =>
  draftOf({ id: 'host', title_en: 'Host', display: 'name', scope_project: 'project' }, [
    { id: 'host.state', object_type: 'host', name: 'state', type: 'enum', values: '["up","down"]', observed: true, position: 20 },
    { id: 'host.name', object_type: 'host', name: 'name', type: 'string', required: true, position: 10 },
  ])
const brief = (before: Draft | undefined, after: Draft) => steps(before, after).map((s) => `${s.verb} ${s.of} ${JSON.stringify(s.rows)}`)

describe('the draft of an object type', () => {
  it('is read in its order, and nothing is asked for where nothing was changed', () => {
    expect(stored().attributes.map((a) => a.name)).toEqual(['name', 'state'])
    expect(stored().attributes[1]!.values).toBe('up\ndown')
    expect(steps(stored(), stored())).toEqual([])
  })

  it('becomes a type, then attributes, then what needs them', () => {
    const d = emptyDraft()
    Object.assign(d.type, { id: 'rack', title_en: 'Rack', display: 'name' })
    expect(steps(undefined, d).map((s) => `${s.verb} ${s.of}`)).toEqual([
      'create object_type',
      'create object_attribute',
      'update object_type',
    ])
    expect(steps(undefined, d)[0]!.rows).toEqual([{ id: 'rack', paging: true, title_en: 'Rack', scope_project: 'project' }])
    expect(steps(undefined, d)[1]!.rows[0]).toMatchObject({
      id: 'rack.name',
      object_type: 'rack',
      name: 'name',
      type: 'string',
      position: 10,
    })
    expect(steps(undefined, d)[2]!.rows).toEqual([{ id: 'rack', display: 'name' }])
  })

  it('is asked for as one set, each row once', () => {
    const d = emptyDraft()
    Object.assign(d.type, { id: 'rack', display: 'name' })
    const { changes, keys } = together('cmdb', steps(undefined, d))
    expect(changes.map((c) => `${c.op} ${c.type} ${c.row.id}`)).toEqual([
      'create cmdb:object_type rack',
      'create cmdb:object_attribute rack.name',
    ])
    expect(changes[0]!.row).toEqual({ id: 'rack', paging: true, scope_project: 'project', display: 'name' })
    expect(
      placed({ keys }, d, [
        { path: 'changes[1].type', message: 'a' },
        { path: 'changes[0].display', message: 'b' },
      ]).at,
    ).toEqual({ [`${keys[1]}.type`]: 'a', '.display': 'b' })
  })

  it('asks for what was changed and nothing else', () => {
    const d = stored()
    d.attributes[1]!.values = 'up\ndown\nasleep'
    d.attributes[0]!.title_zh = '名称'
    d.type.description = 'A machine'
    expect(brief(stored(), d)).toEqual([
      'update object_attribute [{"id":"host.name","title_zh":"名称"},{"id":"host.state","values":"up\\ndown\\nasleep"}]',
      'update object_type [{"id":"host","description":"A machine"}]',
    ])
    d.type.display = ''
    expect(brief(stored(), d)[1]).toContain('"display":null')
  })

  it('drops what a type of attribute has not', () => {
    const d = stored()
    d.attributes[1]!.type = 'string'
    expect(brief(stored(), d)).toEqual(['update object_attribute [{"id":"host.state","type":"string","values":null}]'])
  })

  it('numbers attributes anew where their order is another', () => {
    const d = stored()
    d.attributes.reverse()
    expect(brief(stored(), d)).toEqual(['update object_attribute [{"id":"host.state","position":10},{"id":"host.name","position":20}]'])
    const e = stored()
    e.attributes.push({ ...emptyAttribute(), name: 'zone' })
    expect(steps(stored(), e)).toHaveLength(1)
    expect(steps(stored(), e)[0]!.rows[0]).toMatchObject({ id: 'host.zone', position: 50 })
  })

  it('removes an attribute last, after the type has let go of it', () => {
    const d = stored()
    d.attributes.shift()
    d.type.display = ''
    expect(brief(stored(), d)).toEqual([
      'update object_type [{"id":"host","display":null}]',
      'delete object_attribute [{"id":"host.name"}]',
    ])
  })

  it('shows errors at the fields that the server names', () => {
    const d = stored()
    d.attributes.forEach((a) => (a.title = 'x'))
    const s = steps(stored(), d)[0]!
    const told = placed(s, d, [
      { path: '[1].values', message: 'a' },
      { path: 'cmdb:object_type/host.display', message: 'b' },
      { path: 'cmdb:object_attribute/host.name.name', message: 'c' },
      { path: 'who knows', message: 'd' },
    ])
    expect(told).toEqual({ at: { 'host.state.values': 'a', '.display': 'b', 'host.name.name': 'c' }, rest: ['d'] })
    expect(placed({ ...s, keys: ['host.name'] }, d, [{ path: 'title', message: 'e' }]).at).toEqual({ 'host.name.title': 'e' })
    expect(placed({ ...s, keys: ['host.gone'] }, d, [{ path: 'name', message: 'f' }])).toEqual({ at: {}, rest: ['f'] })
  })
})
