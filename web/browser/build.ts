import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The platform's program, with the console in it. */
    program: string
    /** Fills a data folder with runs that are over. */
    seed: string
    /** Where pictures of pages go. */
    shots: string
  }
}

/** Builds the console and the program around it, once for all tests. SEXTANT_BIN names one that is built already. */
export default function setup(project: TestProject) {
  const web = join(import.meta.dirname, '..')
  const root = join(web, '..')
  const dir = mkdtempSync(join(tmpdir(), 'sextant-build-'))
  const go = (name: string, from: string) => {
    execFileSync('go', ['build', '-o', join(dir, name), from], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
    return join(dir, name)
  }
  const given = process.env.SEXTANT_BIN
  if (!given)
    execFileSync('npm', ['run', 'build', '--silent'], {
      cwd: web,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, NODE_ENV: 'production' },
    })
  project.provide('program', given ?? go('sextant', './cmd/sextant'))
  project.provide('seed', go('seed', './test/seed'))
  const shots = join(root, 'build', 'screenshots')
  mkdirSync(shots, { recursive: true })
  project.provide('shots', shots)
  return () => rmSync(dir, { recursive: true, force: true })
}
