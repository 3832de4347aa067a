import { describe, expect, it } from 'vitest'
import { fieldText, fieldValue, linesOf, plain, secrets, type Connection } from './fields'

const c: Connection = {
  project: 'default',
  name: 'lab',
  type: 'ssh',
  version: 3,
  updated: '2026-01-01T00:00:00Z',
  fields: { user: 'deploy', port: 22, private_key: { $secret: 'connection/lab#private_key' } },
}

describe('fields of a connection', () => {
  it('are told apart from secrets', () => {
    expect(plain(c)).toEqual({ user: 'deploy', port: 22 })
    expect(secrets(c)).toEqual(['private_key'])
    expect(secrets(undefined)).toEqual([])
  })
  it('hold several keys, one a line', () => {
    const keys = ['ssh-ed25519 AAAA', 'SHA256:b']
    expect(fieldText(keys, 'host_keys')).toBe('ssh-ed25519 AAAA\nSHA256:b')
    expect(fieldValue('ssh-ed25519 AAAA\n\nSHA256:b\n', 'host_keys')).toEqual(keys)
    expect(fieldValue('["a"]', 'host_keys')).toEqual(['a'])
    expect(fieldText(['a'], 'other')).toBe('["a"]')
  })
  it('have targets, one a line', () => {
    expect(linesOf(" host:host{environment eq 'dev'} \n\n10.1.*\n")).toEqual(["host:host{environment eq 'dev'}", '10.1.*'])
    expect(linesOf('')).toEqual([])
  })
  it('keep their kind through a form', () => {
    for (const v of [22, true, ['a'], { a: 1 }, 'deploy', '1.10', '007']) expect(fieldValue(fieldText(v))).toEqual(v)
    expect(fieldValue('[broken')).toBe('[broken')
  })
})
