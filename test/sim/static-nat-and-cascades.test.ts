import { describe, expect, test } from 'vitest'
import { Internet } from '../../src/sim/internet.ts'
import { behindNat, ipOf } from '../support/probe-nat.ts'
import { ProbeSocket } from '../support/probe-socket.ts'

describe('1:1 NAT', () => {
  test('keeps ports, gives each host an address, and lets everybody in', () => {
    const internet = new Internet({ seed: 1 })
    const cloud = internet.staticNat({ addresses: ['20.0.5.1', '20.0.5.2'] })
    const [x, y] = [
      new ProbeSocket(cloud.host(), { port: 3478 }),
      new ProbeSocket(cloud.host(), { port: 3478 }),
    ]
    const outside = new ProbeSocket(internet.host(), { port: 1111 })
    internet.run()
    for (const socket of [x, y]) {
      socket.send('hello', outside.local!)
      internet.run()
    }
    expect(outside.arrived.map(({ from }) => from)).toEqual(['20.0.5.1:3478', '20.0.5.2:3478'])
    const stranger = new ProbeSocket(internet.host(), { port: 2222 })
    internet.run()
    stranger.send('to y', '20.0.5.2:3478')
    internet.run()
    expect([x.texts, y.texts]).toEqual([[], ['to y']])
  })

  test('a host inside reaches another one by its external address', () => {
    const internet = new Internet({ seed: 1 })
    const cloud = internet.staticNat({ addresses: ['20.0.5.1', '20.0.5.2'] })
    const [x, y] = [new ProbeSocket(cloud.host(), { port: 1 }), new ProbeSocket(cloud.host(), { port: 2 })]
    internet.run()
    x.send('hello', '20.0.5.2:2')
    internet.run()
    expect(y.arrived).toMatchObject([{ text: 'hello', from: '20.0.5.1:1' }])
    expect(() => cloud.host()).toThrow(/no external address left/)
  })
})

describe('a home behind a carrier', () => {
  const carrier = { inside: '100.64.0.0/10' } as const

  test('the mapping is the one of the more dependent NAT, the filter the stricter one', () => {
    const internet = new Internet({ seed: 1 })
    const cgn = internet.nat({ ...carrier, mapping: 'address-and-port-dependent' })
    const home = cgn.nat({ filtering: 'endpoint-independent' })
    const inner = new ProbeSocket(home.host(), { port: 5000 })
    const [x, y] = [1111, 2222].map((port) => new ProbeSocket(internet.host(), { port }))
    internet.run()
    for (const socket of [x!, y!]) inner.send('hello', socket.local!)
    internet.run()
    expect(home.addresses[0]!.ip).toMatch(/^100\.64\./)
    expect([x, y].map((socket) => ipOf(socket!.lastFrom))).toEqual([
      cgn.addresses[0]!.ip,
      cgn.addresses[0]!.ip,
    ])
    expect(x!.lastFrom).not.toBe(y!.lastFrom)
    y!.send('to the wrong one', x!.lastFrom)
    x!.send('answer', x!.lastFrom)
    internet.run()
    expect(inner.texts).toEqual(['answer'])
  })

  test.each([
    ['none', []],
    ['external-source', ['hello']],
  ] as const)('two homes of one carrier, hairpin at the carrier: %s', (hairpin, texts) => {
    const internet = new Internet({ seed: 1 })
    const cgn = internet.nat({ ...carrier, hairpin })
    const [x, y] = [cgn.nat(), cgn.nat()].map((home) => new ProbeSocket(home.host(), { port: 5000 }))
    const outside = new ProbeSocket(internet.host(), { port: 1111 })
    internet.run()
    const told = [x!, y!].map((socket) => {
      socket.send('who am I', outside.local!)
      internet.run()
      return outside.lastFrom
    })
    y!.send('punch', told[0]!)
    internet.run()
    x!.send('hello', told[1]!)
    internet.run()
    expect(y!.texts).toEqual(texts)
  })
})

describe('the hop count tells how far away the NAT is that owns the external address', () => {
  /** The smallest time-to-live with which a packet to the own external address comes back. */
  function smallestTtl(place: 'public' | 'one NAT' | 'two NATs'): number {
    const internet = new Internet({ seed: 1 })
    const options = { hairpin: 'external-source', filtering: 'endpoint-independent' } as const
    const outer = place === 'public' ? internet : internet.nat(options)
    const inner = place === 'two NATs' ? outer.nat(options) : outer
    const host = inner.host()
    const [x, y] = [new ProbeSocket(host, { port: 5000 }), new ProbeSocket(host, { port: 6000 })]
    const outside = new ProbeSocket(internet.host(), { port: 1111 })
    internet.run()
    y.send('who am I', outside.local!)
    internet.run()
    for (let ttl = 1; ; ttl++) {
      x.socket.setTtl(ttl)
      x.send('back', outside.lastFrom)
      internet.run()
      if (y.texts.includes('back')) return ttl
    }
  }

  test.each([
    ['public', 1],
    ['one NAT', 2],
    ['two NATs', 4],
  ] as const)('%s: %i', (place, ttl) => {
    expect(smallestTtl(place)).toBe(ttl)
  })

  test('a packet whose hops are used up on the way opens the own NAT only', () => {
    const { internet, open, mapped, outside } = behindNat({})
    const inner = open(5000)
    inner.socket.setTtl(2)
    expect(mapped(inner)).toBe('nowhere')
    expect(internet.count('hops used up')).toBe(1)
    outside.send('into the hole', `${behindNat({}).external(5000)}`)
    internet.run()
    expect(inner.texts).toEqual(['into the hole'])
  })
})
