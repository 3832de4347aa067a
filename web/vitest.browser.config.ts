import { defineConfig } from 'vitest/config'

// Tests of the built console in a real browser, against a server of their own.
export default defineConfig({
  test: {
    environment: 'node',
    include: ['browser/**/*.test.ts'],
    globalSetup: ['browser/build.ts'],
    testTimeout: 180_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
})
