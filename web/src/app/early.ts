import type { RouteRecordRaw } from 'vue-router'
import { afterPicture } from '@/ui/picture'

// What is seen before the console is read: plain markup of index.html, filled by
// the first script with what is known by then.

type Tree = Record<string, unknown>

const textAt = (tree: Tree, key?: string) => key?.split('.').reduce<unknown>((at, k) => (at as Tree | undefined)?.[k], tree)

/** Shows the bare frame of a page that has one. */
export function showFrame(page: RouteRecordRaw | undefined): void {
  document.querySelector('#early')?.toggleAttribute('hidden', !page || !!page.meta?.public)
}

/** Writes the head of a page whose head is the same for everybody, and waits until it is seen; others are named by what they show. */
export async function showHead(page: RouteRecordRaw | undefined, texts: Tree): Promise<void> {
  const text = textAt(texts, page?.meta?.textKey)
  if (typeof text !== 'string') return
  const write = (part: string, what: unknown) => {
    const at = document.querySelector(`#early ${part}`)
    if (at && typeof what === 'string') at.textContent = what
  }
  write('h1', textAt(texts, page?.meta?.titleKey))
  write('p', text)
  await new Promise<void>(afterPicture)
}

/** Says that the rest did not come; without it there is no text in one language. */
export function showFailure(): void {
  document.querySelector('#failed')?.removeAttribute('hidden')
}
