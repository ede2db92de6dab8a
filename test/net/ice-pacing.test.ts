/** All agents of one host begin a check every 5 ms together (RFC 8445 §14.2). */

import { expect, it } from 'vitest'
import { connectGathered, IceWorld } from '../support/ice-world.ts'

it('agents that share a host take turns, and all connect', () => {
  const world = new IceWorld()
  const { internet } = world
  const shared = internet.host()
  const pairs = Array.from({ length: 8 }, () => [
    world.side('controlling', shared, { servers: [] }),
    world.side('controlled', internet.host(), { servers: [] }),
  ]) as [ReturnType<IceWorld['side']>, ReturnType<IceWorld['side']>][]
  const began: number[] = []
  const seen = new Set<string>()
  internet.watch(({ at, place, fate, packet }) => {
    // Binding requests by the transaction that they begin.
    if (fate !== 'sent' || place !== shared.name || packet.bytes[0] !== 0 || packet.bytes[1] !== 1) return
    const transaction = packet.bytes.subarray(8, 20).join()
    if (!seen.has(transaction)) began.push(at)
    seen.add(transaction)
  })
  for (const [a, b] of pairs) connectGathered(a, b)
  internet.run({ for: 2000 })
  expect(pairs.flat().map(({ state }) => state)).toEqual(pairs.flat().map(() => 'completed'))
  expect(began.length).toBeGreaterThanOrEqual(16)
  for (const [i, at] of began.slice(1).entries()) expect(at - began[i]!).toBeGreaterThanOrEqual(5 - 1e-6)
})
