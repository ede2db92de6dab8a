import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'

/** Tests with processes, sockets and other programs: they come after those in simulated time, which fail faster. (A first group of order 0 is what vitest takes for "no order".) */
const real = [
  ...['bench', 'cli', 'interop', 'net', 'package', 'peer', 'server', 'signaling'].map(
    (folder) => `test/${folder}/**/*.test.ts`,
  ),
  'test/examples.test.ts',
  ...['process', 'slow-reader', 'stream-clients', 'allocation-table'].map(
    (name) => `test/security/${name}.test.ts`,
  ),
]

/** Tests with a browser, which wants the machine to itself: one after another. */
const page = ['test/page/**/*.test.ts']

/** Tests that lay out an internet of network namespaces (`npm run test:netns`): last, and one after another. */
const lab = ['test/netns/**/*.test.ts']

export default defineConfig({
  // What the examples import is the package itself, from its sources.
  resolve: {
    alias: [
      { find: 'turnpike/testing', replacement: resolve('src/sim/index.ts') },
      { find: /^turnpike\/(\w+)$/, replacement: resolve('src/$1/index.ts') },
    ],
  },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...real, ...page, ...lab],
          sequence: { groupOrder: 1 },
          maxWorkers: '100%',
        },
      },
      {
        extends: true,
        // They wait more than they work, so that there is always one to go on with.
        test: { name: 'real', include: real, sequence: { groupOrder: 2 }, maxWorkers: '100%' },
      },
      {
        extends: true,
        test: { name: 'page', include: page, sequence: { groupOrder: 3 }, fileParallelism: false },
      },
      {
        extends: true,
        test: { name: 'netns', include: lab, sequence: { groupOrder: 4 }, fileParallelism: false },
      },
    ],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The programs that tests start are a few hundred modules each: what Node made of them is kept, which halves their start.
    env: { NODE_COMPILE_CACHE: resolve('node_modules/.cache/turnpike-tests') },
  },
})
