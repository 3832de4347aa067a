import { base } from './base'
import { Problem } from './problem'

/** Who is signed in, asked before anything else is read; a page for those who are not does not ask. */
let begun = location.pathname === `${base}sign-in` ? undefined : fetch(`${base}api/v1/me`)
begun?.catch(() => undefined) // told to who takes it

/** The answer to the first question, once; later ones are asked anew. */
export async function takeMe<T>(): Promise<T | undefined> {
  const answer = await begun
  begun = undefined
  if (!answer) return undefined
  if (!answer.ok) throw await Problem.of(answer)
  return (await answer.json()) as T
}
