/** Servers in clouds: behind a 1:1 NAT, and as lite agents (RFC 8445 §2.5). */

import { describe, expect, test } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { hostBehind, type Kind, kinds } from '../support/ice-cell.ts'
import { dataFaults, leftovers } from '../support/ice-invariants.ts'
import { connectGathered, IceWorld } from '../support/ice-world.ts'

const external = '20.0.5.1'

function cloudWorld() {
  const world = new IceWorld()
  const cloud = world.internet.staticNat({ addresses: [external] })
  return { world, host: cloud.host() }
}

describe('a full agent behind a 1:1 NAT is reached by everybody', () => {
  test.each(kinds.map((kind) => [kind]))('%s', async (kind: Kind) => {
    const { world, host } = cloudWorld()
    await world.startServer()
    const a = world.side('controlling', hostBehind(world.internet, kind))
    const b = world.side('controlled', host)
    connectGathered(a, b)
    world.internet.run({ for: 3000 })
    expect([a.state, b.state]).toEqual(['completed', 'completed'])
    expect(a.selected?.remote.address).toMatchObject(
      TransportAddress.of(external, b.selected!.local.base.port),
    )
    expect(dataFaults({ world, sides: [a, b] })).toEqual([])
    expect(leftovers({ world, sides: [a, b] })).toEqual([])
  })
})

describe.each(['host', 'srflx'] as const)(
  'a lite server that knows its external address, told as %s',
  (as) => {
    test.each(kinds.map((kind) => [kind]))('%s', async (kind: Kind) => {
      const { world, host } = cloudWorld()
      await world.startServer()
      const a = world.side('controlled', hostBehind(world.internet, kind))
      const b = world.side('controlling', host, {
        servers: [],
        lite: true,
        addressMapping: [{ external: TransportAddress.of(external, 0), as }],
      })
      connectGathered(a, b)
      world.internet.run({ for: 3000 })
      // The full one controls, whatever it began as.
      expect(a.all('role').map(({ event }) => event.role)).toEqual(['controlling'])
      expect([a.state, b.state]).toEqual(['completed', 'completed'])
      expect(dataFaults({ world, sides: [a, b] })).toEqual([])
      expect(leftovers({ world, sides: [a, b] })).toEqual([])
    })
  },
)

test('a NAT that an unasked packet poisons still connects, by asking again', async () => {
  for (const [x, y] of [
    [true, false],
    [false, true],
    [true, true],
  ]) {
    const world = new IceWorld()
    await world.startServer()
    const a = world.side('controlling', world.internet.nat({ poisonedByInbound: x! }).host(), { relay: true })
    const b = world.side('controlled', world.internet.nat({ poisonedByInbound: y! }).host(), { relay: true })
    connectGathered(a, b)
    world.internet.run({ for: 5000 })
    expect([a.state, b.state]).toEqual(['completed', 'completed'])
    expect(dataFaults({ world, sides: [a, b] })).toEqual([])
  }
})
