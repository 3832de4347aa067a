import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The platform's program, with the console in it. */
    program: string
  }
}

/** Builds the console and the program around it, once for all tests. SEXTANT_BIN names one that is built already. */
export default function setup(project: TestProject) {
  const given = process.env.SEXTANT_BIN
  if (given) return project.provide('program', given)
  const web = join(import.meta.dirname, '..')
  const dir = mkdtempSync(join(tmpdir(), 'sextant-build-'))
  const program = join(dir, 'sextant')
  execFileSync('npm', ['run', 'build', '--silent'], { cwd: web, stdio: ['ignore', 'ignore', 'inherit'] })
  execFileSync('go', ['build', '-o', program, './cmd/sextant'], { cwd: join(web, '..'), stdio: ['ignore', 'ignore', 'inherit'] })
  project.provide('program', program)
  return () => rmSync(dir, { recursive: true, force: true })
}
