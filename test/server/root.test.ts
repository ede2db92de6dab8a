import { expect, it } from 'vitest'
import { warnOfRoot } from '../../src/server/root.ts'

const silent = () => {}

it.each([
  ['root', 0, 1],
  ['a user', 1000, 0],
  ['nobody, where there are no users', undefined, 0],
])('a server that runs as %s is warned of it so often: %s: %s', (_name, uid, count) => {
  const warnings: string[] = []
  warnOfRoot(uid, { debug: silent, info: silent, error: silent, warn: (text) => void warnings.push(text) })
  expect(warnings).toHaveLength(count)
  for (const text of warnings) expect(text).toContain('AmbientCapabilities=CAP_NET_BIND_SERVICE')
})
