/** Peers behind NATs, in both roles: which path wins, and how soon. src/sim has the whole matrix. */

import { describe, expect, it } from 'vitest'
import { IceHarness, selectedTypes } from '../support/ice-harness.ts'
import type { NatBehavior } from '../support/tiny-nat.ts'

const cone: NatBehavior = { mapping: 'EIM', filtering: 'EIF' }
const portRestricted: NatBehavior = { mapping: 'EIM', filtering: 'APDF' }
const addressRestricted: NatBehavior = { mapping: 'EIM', filtering: 'ADF' }
const symmetric: NatBehavior = { mapping: 'APDM', filtering: 'APDF' }

const cells: [string, NatBehavior | undefined, NatBehavior | undefined, string][] = [
  ['open, full cone', undefined, cone, 'host/srflx'],
  ['open, port-restricted', undefined, portRestricted, 'host/srflx'],
  ['open, symmetric', undefined, symmetric, 'host/prflx'],
  ['full cone, full cone', cone, cone, 'srflx/srflx'],
  ['port-restricted, port-restricted', portRestricted, portRestricted, 'srflx/srflx'],
  ['full cone, symmetric', cone, symmetric, 'srflx/prflx'],
  ['address-restricted, symmetric', addressRestricted, symmetric, 'srflx/prflx'],
  ['symmetric, address-restricted', symmetric, addressRestricted, 'prflx/srflx'],
]

describe.each(cells)('%s', (_name, natA, natB, types) => {
  it(`connects by ${types} in two round trips, three where a side has to learn an address first`, () => {
    const net = new IceHarness({}, {}, { natA, natB }).simple()
    expect(net.runUntil(() => net.isCompleted, 5000)).toBe(true)
    expect(selectedTypes(net.a)).toBe(types)
    expect(net.elapsed).toBeLessThanOrEqual(types.includes('prflx') ? 185 : 101)
  })

  it('both sides send to where the other one is', () => {
    const net = new IceHarness({}, {}, { natA, natB }).simple()
    net.runUntil(() => net.isCompleted, 5000)
    net.sendData(net.a, 'from a')
    net.sendData(net.b, 'from b')
    net.run(100)
    expect([net.a.received, net.b.received]).toEqual([['from b'], ['from a']])
  })
})

describe('port-restricted and symmetric', () => {
  const connect = (withRelay: 'a' | 'b' | 'none') => {
    const net = new IceHarness({}, {}, { natA: portRestricted, natB: symmetric })
    for (const [of, address] of [
      [net.a, '10.0.0.1:1000'],
      [net.b, '10.0.0.2:2000'],
    ] as const) {
      net.addReflexive(of, net.addHost(of, address))
    }
    if (withRelay !== 'none') net.addRelay(net[withRelay], '203.0.113.9:7000')
    net.signalBoth()
    return net
  }

  it.each(['a', 'b'] as const)('connect by a relay of %s alone', (withRelay) => {
    const net = connect(withRelay)
    expect(net.runUntil(() => net.isCompleted, 5000)).toBe(true)
    expect(selectedTypes(net.a)).toContain('relay')
  })

  it('fail without a relay, and say why each pair did', () => {
    const net = connect('none')
    net.runUntil(() => net.a.agent.state === 'failed', 120_000)
    expect(net.elapsed).toBeGreaterThanOrEqual(39_500)
    const [event] = net.events(net.a, 'restart-needed')
    expect(event?.reason).toBe('every candidate pair failed')
    expect(event?.pairs.map(({ failure }) => failure)).toEqual(event?.pairs.map(() => 'timeout'))
  })
})
