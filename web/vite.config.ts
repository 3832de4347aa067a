import { fileURLToPath, URL } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { groups, hints, preload } from './build.chunks.ts'
import { texts } from './build.texts.ts'

// The console is served from the binary under any path, so that every address
// within it is relative. In development the API is that of a server at SEXTANT_URL.
export default defineConfig({
  base: './',
  plugins: [vue(), tailwindcss(), texts, preload, hints],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: { __VUE_OPTIONS_API__: false, __INTLIFY_PROD_DEVTOOLS__: false },
  server: { proxy: { '/api': { target: process.env.SEXTANT_URL ?? 'http://127.0.0.1:8066', changeOrigin: false } } },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    manifest: true,
    assetsInlineLimit: 0,
    sourcemap: false,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1200,
    rolldownOptions: { output: { codeSplitting: { groups } } },
  },
  test: {
    environment: 'happy-dom',
    setupFiles: ['src/i18n/setup.ts'],
    include: ['src/**/*.test.ts'],
    reporters: ['default'],
    testTimeout: 30_000,
  },
})
