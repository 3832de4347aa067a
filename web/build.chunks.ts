import type { Plugin } from 'vite'

// What a browser fetches for a page: few files, all named in the page itself or
// by the first script, and compiled beside the main thread.

/** The parts that most pages are made of come as one file, with what they need. */
const parts =
  /\/src\/ui\/(Badge|Card|Checkbox|ConfirmDialog|CopyButton|DataTable|Drawer|EmptyState|ErrorState|Field|FilterBar|KeyValue|PageHeader|SelectInput|Skeleton|Tabs|TextInput|TimeAgo)\.vue$|\/src\/parts\/(Duration|ObjectLink|RunState|StepState)\.vue$/

export const groups = [
  { name: 'start', test: /\/src\/start\.ts$/, priority: 3 },
  { name: 'first', test: /\/src\/app\/(App\.vue|router\.ts)$|\/@tanstack\/(vue-query|query-core)\//, priority: 2 },
  { name: 'parts', test: parts, priority: 1 },
  { name: 'icons', test: /\/lucide-vue-next\//, minShareCount: 2 },
]

/** Names what the console is made of, and the letters it is set in, in the page itself, so that all of it is fetched at once. */
export const preload: Plugin = {
  name: 'preload',
  transformIndexHtml(_html, { bundle }) {
    const files = Object.values(bundle ?? {})
    const boot = files.filter((f) => f.type === 'chunk').find((c) => c.facadeModuleId?.endsWith('/src/boot.ts'))
    const scripts = boot ? [boot.fileName, ...boot.imports] : []
    const letters = files.map((f) => f.fileName).filter((name) => /inter-latin-wght-normal.*\.woff2$/.test(name))
    const link = (attrs: Record<string, string | boolean>) => ({
      tag: 'link',
      attrs: { crossorigin: true, ...attrs },
      injectTo: 'head' as const,
    })
    return [
      ...letters.map((file) => link({ rel: 'preload', as: 'font', type: 'font/woff2', href: `./${file}` })),
      ...scripts.map((file) => link({ rel: 'modulepreload', href: `./${file}` })),
    ]
  },
}

/**
 * Asks the browser to compile what a page runs at once while it arrives, not
 * function by function on the main thread (explicit compile hints of V8; other
 * engines read a comment).
 */
export const hints: Plugin = {
  name: 'hints',
  generateBundle: {
    order: 'post',
    handler(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue
        if (chunk.isEntry || /^(first|parts|boot)$/.test(chunk.name) || /Page\.vue$/.test(chunk.facadeModuleId ?? ''))
          chunk.code = `//# allFunctionsCalledOnLoad\n${chunk.code}`
      }
    },
  },
}
