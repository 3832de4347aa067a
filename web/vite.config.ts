import { fileURLToPath, URL } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'
import { texts } from './build.texts'

/** Names what the console is made of in the page itself, so that all of it is fetched at once. */
const preload: Plugin = {
  name: 'preload',
  transformIndexHtml(_html, { bundle }) {
    const chunks = Object.values(bundle ?? {}).filter((c) => c.type === 'chunk')
    const boot = chunks.find((c) => c.facadeModuleId?.endsWith('/src/boot.ts'))
    const files = boot ? [boot.fileName, ...boot.imports] : []
    return files.map((file) => ({ tag: 'link', attrs: { rel: 'modulepreload', crossorigin: true, href: `./${file}` }, injectTo: 'head' as const }))
  },
}

// The console is served from the binary under any path, so that every address
// within it is relative. In development the API is that of a server at SEXTANT_URL.
export default defineConfig({
  base: './',
  plugins: [vue(), tailwindcss(), texts, preload],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: { __VUE_OPTIONS_API__: false, __INTLIFY_PROD_DEVTOOLS__: false },
  server: { proxy: { '/api': { target: process.env.SEXTANT_URL ?? 'http://127.0.0.1:8066', changeOrigin: false } } },
  build: { target: 'es2022', manifest: true, assetsInlineLimit: 0, sourcemap: false, reportCompressedSize: false, chunkSizeWarningLimit: 1200 },
  test: { environment: 'happy-dom', setupFiles: ['src/i18n/setup.ts'], include: ['src/**/*.test.ts'], reporters: ['default'], testTimeout: 30_000 },
})
