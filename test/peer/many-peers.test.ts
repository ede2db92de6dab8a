/** Many connections one after another, in a process of their own: none fails, and nothing is left of them. */

import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import type { ManyPeers } from '../support/many-peers.ts'

/** One that is forgotten holds six times as much; compiled code grows by a fifth of it. */
const heapBytesPerPeer = 20_000

describe('a hundred pairs of peers', { timeout: 300_000 }, () => {
  it('connect every time, and leave no socket, no timer and no memory behind', () => {
    const { stdout, stderr } = spawnSync(process.execPath, ['test/support/many-peers.ts', '30', '100'], {
      encoding: 'utf8',
    })
    expect(stderr).toBe('')
    const {
      connected,
      holdings: [before, after],
    }: ManyPeers = JSON.parse(stdout)
    expect(connected).toBe(100)
    expect(after.resources).toEqual(before.resources)
    expect(after.resources.filter((name) => /UDP|TCP|Timeout/.test(name))).toEqual([])
    expect(after.descriptors).toEqual(before.descriptors)
    expect((after.heapBytes - before.heapBytes) / 200).toBeLessThan(heapBytesPerPeer)
  })
})
