/** The ICE transport on simulated hosts: gathering, connecting, data, and what is left behind. */

import { describe, expect, test } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import {
  connectGathered,
  connectTrickling,
  IceSide,
  IceWorld,
  type SideOptions,
} from '../support/ice-world.ts'

async function world(options: { relay?: boolean } & SideOptions = {}) {
  const world = new IceWorld()
  await world.startServer()
  const [x, y] = [world.internet.nat(), world.internet.nat()]
  const a = world.side('controlling', x.host(), options)
  const b = world.side('controlled', y.host(), options)
  return { world, internet: world.internet, x, y, a, b }
}

function typesOf(side: IceSide): string[] {
  return side.candidates.map(({ type, protocol }) => `${type} ${protocol}`)
}

describe('gathering', () => {
  test('a host candidate at once, a reflexive one after a round trip, a relayed one after two', async () => {
    const { internet, a } = await world({ relay: true })
    const start = internet.now
    a.transport.gather()
    internet.run({ for: 10_000 })
    expect(a.all('local-candidate').map(({ at, event }) => [at - start, event.candidate.type])).toEqual([
      [0, 'host'],
      [40, 'srflx'],
      [80, 'relay'],
    ])
    expect(a.all('gathering').map(({ at, event }) => [at - start, event.state])).toEqual([
      [0, 'gathering'],
      [80, 'complete'],
    ])
    expect(a.told.findIndex(({ event }) => event.type === 'end-of-candidates')).toBeLessThan(
      a.told.findIndex(({ event }) => event.type === 'gathering' && event.state === 'complete'),
    )
  })

  test('servers that are dead, unknown, or refuse the password cost their own deadline, and nothing else', async () => {
    const { internet, world: w, x } = await world()
    internet.name('silent.example', { A: ['20.0.9.9'] })
    const a = w.side('controlling', x.host(), {
      serverDeadlineMs: 3000,
      servers: [
        { urls: 'stun:silent.example' },
        { urls: 'turn:nowhere.example?transport=udp', username: 'alice', credential: 'wonder' },
        { urls: 'turn:turn.example?transport=udp', username: 'alice', credential: 'wrong' },
        ...w.servers(true, x.host()),
      ],
    })
    const start = internet.now
    a.transport.gather()
    internet.run({ for: 10_000 })
    expect(a.all('local-candidate').map(({ at, event }) => [at - start, event.candidate.type])).toEqual([
      [0, 'host'],
      [40, 'srflx'],
      [80, 'relay'],
    ])
    expect(a.all('server-failed').map(({ event }) => [event.url, event.reason])).toEqual([
      ['turn:nowhere.example?transport=udp', 'ENOTFOUND'],
      ['turn:turn.example?transport=udp', '401 Unauthenticated'],
      ['stun:silent.example', 'no answer in time'],
    ])
    expect(a.all('gathering').at(-1)?.at).toBe(start + 3010)
  })

  test('a URI that is none is refused by name', async () => {
    const { world: w, x } = await world()
    const side = w.side('controlling', x.host(), { servers: [{ urls: 'http://turn.example' }] })
    expect(() => side.transport.gather()).toThrow(/http:\/\/turn\.example/)
  })

  test('ports of host candidates lie in the range', async () => {
    const { internet, world: w, x } = await world()
    const host = x.host()
    const sides = Array.from({ length: 3 }, () =>
      w.side('controlling', host, { portRange: [50_000, 50_002], servers: [] }),
    )
    for (const side of sides) side.transport.gather()
    internet.run({ for: 100 })
    const ports = sides.flatMap((side) => side.candidates.map(({ address }) => address.port))
    expect(ports.sort()).toEqual([50_000, 50_001, 50_002])
  })

  test('where the system sends from by default goes before the other addresses, in both families', () => {
    const world = new IceWorld({ families: ['IPv4', 'IPv6'] })
    const { internet } = world
    const host = internet.host({ name: 'eth0' })
    host.addInterface(internet, { name: 'eth1', isDefault: true })
    host.addInterface(internet, { name: 'docker0' })
    expect(host.sourceFor(TransportAddress.of('198.41.0.4', 0))).toEqual(host.interface('eth1').addresses[0])
    const side = new IceSide(world, host, { role: 'controlling' })
    side.transport.gather()
    internet.run({ for: 100 })
    const order = side
      .all('local-candidate')
      .map(({ event }) => event.local)
      .sort((x, y) => y.priority - x.priority)
    const [eth0, eth1] = ['eth0', 'eth1'].map((name) => host.interface(name).addresses.map(({ ip }) => ip))
    // IPv6 before IPv4 within each (RFC 8421).
    expect(order.map(({ address }) => address.ip)).toEqual([...eth1!.toReversed(), ...eth0!.toReversed()])
  })

  test('with the policy "relay" nothing but relayed candidates is gathered, told or used', async () => {
    const { internet, a, b } = await world({ relay: true, transportPolicy: 'relay' })
    connectGathered(a, b)
    internet.run({ for: 1000 })
    expect([typesOf(a), typesOf(b)]).toEqual([['relay udp'], ['relay udp']])
    expect([a.winner, b.winner]).toEqual(['RR', 'RR'])
  })
})

describe('connecting', () => {
  test('behind two NATs: valid after one round trip, nominated after two, data both ways', async () => {
    const { internet, a, b } = await world()
    const start = connectGathered(a, b)
    internet.run({ for: 200 })
    expect([a.firstPathAt, b.firstPathAt]).toEqual([start + 40, start + 40])
    expect([a.selectedAt, b.selectedAt]).toEqual([start + 80, start + 60])
    expect([a.state, b.state]).toEqual(['completed', 'completed'])
    a.send('from a')
    b.send('from b')
    internet.run({ for: 20 })
    expect([a.received.map(({ text }) => text), b.received.map(({ text }) => text)]).toEqual([
      ['from b'],
      ['from a'],
    ])
  })

  test('trickling connects before gathering is over', async () => {
    const { internet, world: w, x, y } = await world()
    internet.name('silent.example', { A: ['20.0.9.9'] })
    const sides = [x, y].map((nat, i) =>
      w.side(i === 0 ? 'controlling' : 'controlled', nat.host(), {
        servers: [{ urls: 'stun:silent.example' }, ...w.servers(false, x.host())],
      }),
    )
    const start = internet.now
    connectTrickling(sides[0]!, sides[1]!, 50)
    internet.run({ for: 1000 })
    for (const side of sides) {
      expect(side.state).toBe('completed')
      expect(side.firstPathAt! - start).toBeLessThan(150)
      expect(side.all('gathering').map(({ event }) => event.state)).toEqual(['gathering'])
    }
  })

  test('a restart keeps data going on the old path until there is a new one', async () => {
    const { internet, a, b } = await world()
    connectGathered(a, b)
    internet.run({ for: 200 })
    const before = a.transport.localDescription
    a.transport.restart()
    const received = b.received.length
    b.transport.connect(a.transport.localDescription)
    a.transport.connect(b.transport.localDescription)
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      for (const candidate of from.candidates) {
        if (candidate.ufrag === from.transport.localDescription.ufrag)
          to.transport.addRemoteCandidate(candidate)
      }
    }
    for (let i = 0; i < 20; i++) {
      expect(a.send(`${i}`)).toBe(true)
      internet.run({ for: 10 })
    }
    internet.run({ for: 100 })
    expect(b.received.slice(received).map(({ text }) => text)).toEqual(
      Array.from({ length: 20 }, (_, i) => `${i}`),
    )
    expect(a.transport.localDescription.ufrag).not.toBe(before.ufrag)
    expect(a.all('selected-pair')).toHaveLength(2)
  })
})

describe('closing', () => {
  test('leaves no timer, and no allocation on the server', async () => {
    const { internet, world: w, a, b } = await world({ relay: true })
    connectGathered(a, b)
    internet.run({ for: 1000 })
    a.transport.close()
    b.transport.close()
    const closedAt = internet.now
    expect(internet.run({ until: () => a.told.at(-1)?.event.type === 'closed', for: 1000 })).toBe(true)
    expect(internet.now - closedAt).toBe(40)
    expect(a.state).toBe('closed')
    expect(a.send('too late')).toBe(false)
    internet.run({ for: 100 })
    expect(w.allocations).toBe(0)
    w.server?.close()
    expect(internet.run()).toBe(true)
    expect(internet.now - closedAt).toBeLessThan(200)
  })

  test('in the middle of everything', async () => {
    for (let at = 0; at < 200; at += 13) {
      const { internet, world: w, a, b } = await world({ relay: true })
      internet.at(internet.now + at, () => a.transport.close())
      internet.at(internet.now + at + 3, () => b.transport.close())
      connectTrickling(a, b, 10)
      internet.run({ for: 5000 })
      expect([a.told.at(-1)?.event.type, b.told.at(-1)?.event.type]).toEqual(['closed', 'closed'])
      expect(w.allocations).toBe(0)
      w.server?.close()
      expect(internet.run()).toBe(true)
    }
  })
})
