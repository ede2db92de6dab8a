/**
 * Two NATs that give each destination another port, and let in what comes from an address that was sent to: every check
 * arrives, and every answer comes from elsewhere. Following each new address would never end (25 checks a second).
 */

import { expect, test } from 'vitest'
import { connectGathered, IceWorld } from '../support/ice-world.ts'

test.each([
  [false, 'failed'],
  [true, 'completed'],
])('with a relay: %s, the session ends up %s, and the chase is over soon', async (relay, state) => {
  const world = new IceWorld()
  await world.startServer()
  const { internet } = world
  const mapping = 'address-and-port-dependent'
  const a = world.side('controlling', internet.nat({ mapping, filtering: 'endpoint-independent' }).host(), {
    relay,
  })
  const b = world.side('controlled', internet.nat({ mapping, filtering: 'address-dependent' }).host(), {
    relay,
  })
  connectGathered(a, b)
  internet.run({ for: 2000 })
  const sent = internet.count('sent')
  internet.run({ for: 40_000 })
  expect([a.state, b.state]).toEqual([state, state])
  // What is left are retransmissions, consent, and refreshes.
  expect(internet.count('sent') - sent).toBeLessThan(200)
  expect(a.transport.pairs().length).toBeLessThan(30)
})
