import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, connect, type AddressInfo } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/** A real OpenSSH server on loopback, that lets in who has the key. */
export async function sshd() {
  const dir = mkdtempSync(join(tmpdir(), 'sextant-sshd-'))
  for (const name of ['host', 'client']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)])
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  await new Promise((done) => free.close(done))
  const q = (name: string) => `"${join(dir, name)}"`
  writeFileSync(
    join(dir, 'config'),
    [
      `ListenAddress 127.0.0.1`,
      `Port ${port}`,
      `HostKey ${q('host')}`,
      'PidFile none',
      `AuthorizedKeysFile ${q('client.pub')}`,
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'PermitRootLogin yes',
      `SetEnv "HOME=${dir}"`,
      'LogLevel ERROR',
      '',
    ].join('\n'),
  )
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(dir, 'config')], { stdio: 'ignore' })
  for (let up = false; !up;) {
    if (child.exitCode !== null) throw new Error('sshd ended')
    up = await new Promise((told) => {
      const s = connect(port, '127.0.0.1', () => (s.destroy(), told(true))).on('error', () => setTimeout(() => told(false), 50))
    })
  }
  return {
    port,
    user: userInfo().username,
    key: readFileSync(join(dir, 'client'), 'utf8'),
    hostKey: readFileSync(join(dir, 'host.pub'), 'utf8').trim().split(' ').slice(0, 2).join(' '),
    close: async () => {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
