import { base } from './base'

// What a page asks the server for as soon as it is there is asked for ahead, while
// the scripts that show it are read: its first picture has the answer in it.

const answers = new Map<string, Promise<Response>>()

/** Reads an answer whole, so that who takes it has it within the same task, before the next picture. */
async function whole(path: string): Promise<Response> {
  const response = await fetch(path)
  const text = await response.text()
  return Object.assign(new Response(text, { status: response.status, headers: response.headers }), {
    text: async () => text,
    json: async () => JSON.parse(text) as unknown,
  })
}

/** Sends for paths of the API, "api/v1/me", below the base. */
export function askAhead(paths: string[]): void {
  for (const path of paths) {
    const { href } = new URL(base + path, location.href)
    const answer = whole(href)
    answer.catch(() => undefined) // told to who takes it
    answers.set(href, answer)
  }
}

/** The answer to a request that was sent ahead, once; later ones are asked anew. */
export function takeAhead({ method, url }: Request): Promise<Response> | undefined {
  const answer = method === 'GET' ? answers.get(url) : undefined
  answers.delete(url)
  return answer
}

/** Forgets what nobody took: it would be old when somebody does. A mark in the page's timeline tells of it. */
export function endAhead(): void {
  for (const href of answers.keys()) performance.mark(`asked for nothing: ${href}`)
  answers.clear()
}
