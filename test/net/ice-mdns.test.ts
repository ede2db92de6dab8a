/** mDNS names in place of host addresses, on simulated networks. */

import { describe, expect, test } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { decodeMdns, encodeAnswer, encodeQuery } from '../../src/net/mdns/message.ts'
import { MdnsNames } from '../../src/net/mdns/names.ts'
import { Internet } from '../../src/sim/internet.ts'
import { hex } from '../support/hex.ts'
import { connectGathered, IceWorld } from '../support/ice-world.ts'

describe('hiding host addresses', () => {
  test('two hosts of one network connect by names, which tell no address', async () => {
    const world = new IceWorld()
    await world.startServer()
    const home = world.internet.nat()
    const a = world.side('controlling', home.host(), { mdns: 'hide' })
    const b = world.side('controlled', home.host(), { mdns: 'hide' })
    const start = connectGathered(a, b)
    world.internet.run({ for: 1000 })
    const host = a.candidates.find(({ type }) => type === 'host')
    expect(host?.address).toMatchObject({ name: expect.stringMatching(/^[0-9a-f-]{36}\.local$/) })
    expect(a.candidates.every(({ type, related }) => type === 'host' || related === undefined)).toBe(true)
    expect([a.winner, b.winner]).toEqual(['HH', 'HH'])
    expect(a.firstPathAt! - start).toBeLessThanOrEqual(10)
  })

  test('hosts of different networks connect all the same, and give names up after three seconds', async () => {
    const world = new IceWorld()
    await world.startServer()
    const a = world.side('controlling', world.internet.nat().host(), { mdns: 'hide' })
    const b = world.side('controlled', world.internet.nat().host(), { mdns: 'hide' })
    const start = connectGathered(a, b)
    world.internet.run({ for: 5000 })
    expect([a.winner, b.winner]).toEqual(['SS', 'SS'])
    expect([a.firstPathAt! - start, a.selectedAt! - start]).toEqual([40, 80])
    expect(a.all('remote-candidate-ignored').map(({ at, event }) => [at - start, event.reason])).toEqual([
      [3000, 'name-not-resolved'],
    ])
  })

  test('a hidden host on a public address is found by what the STUN server has told of it', async () => {
    const world = new IceWorld()
    await world.startServer()
    const a = world.side('controlling', world.internet.host(), { mdns: 'hide' })
    const picky = world.internet.nat({ mapping: 'address-and-port-dependent' })
    const b = world.side('controlled', picky.host())
    connectGathered(a, b)
    world.internet.run({ for: 3000 })
    expect(a.candidates.map(({ type }) => type)).toEqual(['host', 'srflx'])
    expect([a.state, b.state]).toEqual(['completed', 'completed'])
  })

  test('close leaves nothing, also while a name is being asked for', async () => {
    const world = new IceWorld()
    const a = world.side('controlling', world.internet.nat().host(), { mdns: 'hide', servers: [] })
    const b = world.side('controlled', world.internet.nat().host(), { mdns: 'hide', servers: [] })
    connectGathered(a, b)
    world.internet.run({ for: 500 })
    a.transport.close()
    b.transport.close()
    const closedAt = world.internet.now
    expect(world.internet.run()).toBe(true)
    expect(world.internet.now - closedAt).toBeLessThan(100)
  })
})

describe('names on a network', () => {
  function network() {
    const internet = new Internet({ seed: 1 })
    const home = internet.nat()
    const [x, y] = [home.host(), home.host()]
    return { internet, x, y, asking: new MdnsNames(x), answering: new MdnsNames(y) }
  }

  test('the owner answers, whatever the case', () => {
    const { internet, y, asking, answering } = network()
    answering.announce('Somebody.local', y.address())
    let found: readonly TransportAddress[] | undefined
    asking.resolve('SOMEBODY.local', (addresses) => {
      found = addresses
    })
    expect(found).toBeUndefined()
    internet.run({ for: 10 })
    expect(found?.map(({ ip }) => ip)).toEqual([y.address().ip])
  })

  test('a query that is lost is asked again', () => {
    const { internet, y, asking, answering } = network()
    answering.announce('somebody.local', y.address())
    let lost = 0
    internet.intercept(() => lost++ > 1)
    const found: number[] = []
    asking.resolve('somebody.local', ({ length }) => found.push(length, internet.now))
    internet.run({ for: 5000 })
    expect(found).toEqual([1, 1000])
  })

  test('a name that nobody has, and one that was cancelled', () => {
    const { internet, asking } = network()
    const found: string[] = []
    asking.resolve('nobody.local', ({ length }) => found.push(`${length} at ${internet.now}`))
    asking.resolve('nobody.local', () => found.push('cancelled'))()
    internet.run()
    expect(found).toEqual(['0 at 3000'])
  })
})

describe('messages', () => {
  test('a query asks for both families', () => {
    expect(encodeQuery('ab.local')).toEqual(
      hex(`0000 0000 0002 0000 0000 0000
           026162 056c6f63616c 00 0001 0001
           026162 056c6f63616c 00 001c 0001`),
    )
  })

  test.each(['192.168.1.5', '2600::5'])('an answer with %s is read as it was written', (ip) => {
    const address = TransportAddress.of(ip, 0)
    expect(decodeMdns(encodeAnswer({ name: 'ab.local', address }, 7))).toEqual({
      id: 7,
      isResponse: true,
      questions: [],
      addresses: [{ name: 'ab.local', address }],
    })
  })

  test('names may point to each other, and lead nowhere', () => {
    const pointer = Uint8Array.from([
      0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4,
    ])
    expect(decodeMdns(pointer)).toBeUndefined()
    const compressed = Uint8Array.from([
      ...[0, 0, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0],
      ...[2, 97, 98, 5, 108, 111, 99, 97, 108, 0, 0, 1, 0, 1],
      ...[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4],
    ])
    expect(decodeMdns(compressed)?.addresses.map(({ name, address }) => `${name} ${address.ip}`)).toEqual([
      'ab.local 1.2.3.4',
    ])
  })

  test('no cut of a message makes it fail', () => {
    const whole = encodeAnswer({ name: 'ab.local', address: TransportAddress.of('2600::5', 0) }, 0)
    for (let length = 0; length < whole.length; length++) {
      expect(decodeMdns(whole.subarray(0, length))?.addresses ?? []).toEqual([])
    }
  })
})
