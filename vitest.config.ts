import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // What the examples import is the package itself, from its sources.
  resolve: {
    alias: [
      { find: 'turnpike/testing', replacement: resolve('src/sim/index.ts') },
      { find: /^turnpike\/(\w+)$/, replacement: resolve('src/$1/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
