import { describe, expect, it } from 'vitest'
import { idOf, keysOf, nameOf } from './call'

describe('a host that is added', () => {
  it.each([
    ['web-1.example.org', 'web-1.example.org'],
    ['10.0.0.7:2222', '10.0.0.7'],
    ['[2001:db8::7]:22', '2001:db8::7'],
    ['2001:db8::7', '2001:db8::7'],
    [' a ', 'a'],
  ])('%s is called %s', (address, name) => expect(nameOf(address)).toBe(name))
  it.each([
    ['Web 1', 'web-1'],
    ['10.0.0.7', '10.0.0.7'],
    ['2001:db8::7', '2001-db8-7'],
    ['--x--', 'x'],
    ['主机', ''],
  ])('%s has the id %s', (name, id) => expect(idOf(name)).toBe(id))
  it('shows its keys with their fingerprints', () => {
    expect(keysOf({ keys: 'ssh-ed25519 AAAA\nssh-rsa BBBB', fingerprints: 'ssh-ed25519 SHA256:a\nssh-rsa SHA256:b' })).toEqual([
      { kind: 'ssh-ed25519', fingerprint: 'SHA256:a', line: 'ssh-ed25519 AAAA' },
      { kind: 'ssh-rsa', fingerprint: 'SHA256:b', line: 'ssh-rsa BBBB' },
    ])
    expect(keysOf({})).toEqual([])
  })
})
