/** What happens to a session when something between the two sides changes under it. */

import { describe, expect, test } from 'vitest'
import { dataFaults } from '../support/ice-invariants.ts'
import { connectGathered, connectTrickling, exchange, type IceSide, IceWorld } from '../support/ice-world.ts'

/** Both send every 100 ms; the longest time that one side heard nothing. */
function longestSilenceMs(world: IceWorld, sides: readonly IceSide[], forMs: number): number[] {
  const start = world.internet.now
  for (let at = 0; at < forMs; at += 100) {
    world.internet.at(start + at, () => {
      for (const side of sides) side.send('tick')
    })
  }
  world.internet.run({ for: forMs })
  return sides.map(({ received }) => {
    const times = [start, ...received.flatMap(({ at }) => (at > start ? [at] : [])), world.internet.now]
    return Math.max(...times.slice(1).map((at, i) => at - times[i]!))
  })
}

describe('a NAT that rebinds', () => {
  test('in the middle of data: the peer follows at once where its filter lets it', async () => {
    const world = new IceWorld()
    await world.startServer()
    const nat = world.internet.nat()
    const a = world.side('controlling', nat.host())
    const b = world.side('controlled', world.internet.nat({ filtering: 'address-dependent' }).host())
    connectGathered(a, b)
    world.internet.run({ for: 1000 })
    world.internet.at(world.internet.now + 60_000, () => nat.rebind())
    // One consent interval, and the round trips to learn the new address.
    expect(Math.max(...longestSilenceMs(world, [a, b], 120_000))).toBeLessThan(6500)
    expect(dataFaults({ world, sides: [a, b] })).toEqual([])
    expect(b.selected?.remote.type).toBe('prflx')
  })

  test('on the controlled side too', async () => {
    const world = new IceWorld()
    await world.startServer()
    const nat = world.internet.nat()
    const a = world.side('controlling', world.internet.nat({ filtering: 'endpoint-independent' }).host())
    const b = world.side('controlled', nat.host())
    connectGathered(a, b)
    world.internet.run({ for: 1000 })
    world.internet.at(world.internet.now + 10_000, () => nat.rebind())
    expect(Math.max(...longestSilenceMs(world, [a, b], 60_000))).toBeLessThan(6500)
    expect(dataFaults({ world, sides: [a, b] })).toEqual([])
  })

  test('where a filter asks for the port, a relay takes over', async () => {
    const world = new IceWorld()
    await world.startServer()
    const nat = world.internet.nat()
    const a = world.side('controlling', nat.host(), { relay: true })
    const b = world.side('controlled', world.internet.nat().host(), { relay: true })
    connectGathered(a, b)
    world.internet.run({ for: 1000 })
    expect(a.winner).toBe('SS')
    world.internet.at(world.internet.now + 10_000, () => nat.rebind())
    expect(Math.max(...longestSilenceMs(world, [a, b], 60_000))).toBeLessThan(10_000)
    expect([a.state, b.state]).toEqual(['completed', 'completed'])
    expect(dataFaults({ world, sides: [a, b] })).toEqual([])
  })

  test('silent: keepalives keep a mapping of 30 s alive', async () => {
    const world = new IceWorld()
    await world.startServer()
    const short = { lifetimeMs: 30_000 } as const
    const a = world.side('controlling', world.internet.nat(short).host())
    const b = world.side('controlled', world.internet.nat(short).host())
    connectGathered(a, b)
    world.internet.run({ for: 600_000 })
    expect([a.state, b.state]).toEqual(['completed', 'completed'])
    expect(a.all('selected-pair')).toHaveLength(1)
    expect(dataFaults({ world, sides: [a, b] })).toEqual([])
  })
})

describe('a phone that leaves the house', () => {
  async function phone(filtering: 'endpoint-independent' | 'address-and-port-dependent') {
    const world = new IceWorld()
    await world.startServer()
    const { internet } = world
    const home = internet.nat()
    const carrier = internet.nat({ inside: '100.64.0.0/10' })
    const host = home.host({ name: 'wlan0' })
    const options = { continualGathering: true }
    const a = world.side('controlling', host, options)
    const b = world.side('controlled', internet.nat({ filtering }).host(), options)
    return { world, internet, carrier, host, a, b }
  }

  test('two interfaces: the other one takes over when the first goes down', async () => {
    const { world, internet, carrier, host, a, b } = await phone('endpoint-independent')
    host.addInterface(carrier, { name: 'rmnet0' })
    connectTrickling(a, b)
    internet.run({ for: 3000 })
    expect(a.selected?.local.base.ip).toBe(host.interface('wlan0').addresses[0]!.ip)
    internet.at(internet.now + 10_000, () => host.interface('wlan0').down())
    // It is found out when the interfaces are looked at, every two seconds.
    expect(Math.max(...longestSilenceMs(world, [a, b], 60_000))).toBeLessThan(3000)
    expect(a.selected?.local.base.ip).toBe(host.interface('rmnet0').addresses[0]!.ip)
    expect(dataFaults({ world, sides: [a, b] })).toEqual([])
  })

  test('the same without continual gathering, with both sides told of all beforehand', async () => {
    const { world, internet, carrier, host } = await phone('endpoint-independent')
    host.addInterface(carrier, { name: 'rmnet0' })
    const a = world.side('controlling', host)
    const b = world.side('controlled', internet.nat({ filtering: 'endpoint-independent' }).host())
    connectGathered(a, b)
    internet.run({ for: 3000 })
    const told = a.candidates.length
    internet.at(internet.now + 10_000, () => host.interface('wlan0').down())
    expect(Math.max(...longestSilenceMs(world, [a, b], 60_000))).toBeLessThan(3000)
    expect(a.selected?.local.base.ip).toBe(host.interface('rmnet0').addresses[0]!.ip)
    const former = a.transport.pairs().filter(({ local }) => local.base.ip === '192.168.1.2')
    expect(new Set(former.map(({ state }) => state))).toEqual(new Set(['failed']))
    // What comes is used with the next restart, and not before.
    host.interface('wlan0').up()
    internet.run({ for: 10_000 })
    expect(a.candidates).toHaveLength(told)
    const { ufrag } = a.transport.restart()
    internet.run({ for: 1000 })
    const again = a.all('local-candidate').filter(({ event }) => event.ufrag === ufrag)
    expect(again.map(({ event }) => event.local.base.ip)).toContain('192.168.1.2')
    expect(dataFaults({ world, sides: [a, b] })).toEqual([])
  })

  test('one interface that moves to another network: new candidates, and the session goes on', async () => {
    const { world, internet, carrier, host, a, b } = await phone('address-and-port-dependent')
    connectTrickling(a, b)
    internet.run({ for: 3000 })
    internet.at(internet.now + 10_000, () => host.interface('wlan0').moveTo(carrier))
    expect(Math.max(...longestSilenceMs(world, [a, b], 60_000))).toBeLessThan(4000)
    expect([a.state, b.state]).toEqual(['completed', 'completed'])
    expect(dataFaults({ world, sides: [a, b] })).toEqual([])
  })

  test('gone for a while, and back with the same address', async () => {
    const { world, internet, host, a, b } = await phone('address-and-port-dependent')
    connectTrickling(a, b)
    internet.run({ for: 3000 })
    host.interface('wlan0').down()
    internet.run({ for: 8000 })
    expect(a.transport.send(new Uint8Array(1))).toBe(false)
    host.interface('wlan0').up()
    internet.run({ for: 15_000 })
    expect([a.state, b.state]).toEqual(['completed', 'completed'])
    expect(dataFaults({ world, sides: [a, b] })).toEqual([])
  })
})

describe('a peer that vanishes', () => {
  test('is "disconnected" after seven seconds and "failed" after thirty; no data is sent to it then', async () => {
    const world = new IceWorld()
    await world.startServer()
    const { internet } = world
    const a = world.side('controlling', internet.nat().host())
    const host = internet.nat().host()
    const b = world.side('controlled', host)
    connectGathered(a, b)
    internet.run({ for: 10_000 })
    host.interface().down()
    const lastHeard = internet.now
    let sentAt = 0
    internet.watch(({ at, place, fate, packet }) => {
      if (place === a.host.name && fate === 'sent' && packet.bytes[0]! > 3) sentAt = at
    })
    for (let at = 0; at < 60_000; at += 100) internet.at(internet.now + at, () => a.send('data'))
    internet.run({ for: 60_000 })
    const states = a.all('state').filter(({ at }) => at > lastHeard)
    expect(states.map(({ event }) => event.state)).toEqual(['disconnected', 'failed'])
    expect(states[0]!.at - lastHeard).toBeLessThanOrEqual(7000)
    expect(sentAt - lastHeard).toBeLessThanOrEqual(30_000)
    expect(a.all('restart-needed')).toHaveLength(1)
    // Every pair, and why it failed.
    expect(a.all('restart-needed')[0]!.event.pairs.map(({ failure }) => failure)).toContain('consent-expired')
  })

  test('and comes back: a restart connects again', async () => {
    const world = new IceWorld()
    await world.startServer()
    const { internet } = world
    const host = internet.nat().host()
    const a = world.side('controlling', internet.nat().host())
    const b = world.side('controlled', host)
    connectGathered(a, b)
    internet.run({ for: 1000 })
    host.interface().down()
    internet.run({ for: 60_000 })
    host.interface().up()
    expect([a.state, b.state]).toEqual(['failed', 'failed'])
    a.transport.restart()
    b.transport.restart()
    internet.run({ for: 200 })
    exchange(a, b)
    internet.run({ for: 3000 })
    expect([a.state, b.state]).toEqual(['completed', 'completed'])
    expect(dataFaults({ world, sides: [a, b] })).toEqual([])
  })
})
