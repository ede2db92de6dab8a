/** Leaving the selected pair: a path that dies, a NAT that rebinds, a path that is faster, a socket that goes. */

import { describe, expect, it } from 'vitest'
import { IceHarness, pathOf, selectedTypes } from '../support/ice-harness.ts'
import type { NatBehavior } from '../support/tiny-nat.ts'

const nat: NatBehavior = { mapping: 'EIM', filtering: 'APDF' }
const first = '192.0.2.1'
const second = '192.0.2.2'

describe('a NAT that gives one side a new address', () => {
  it.each([
    ['the controlling one', 'natA'],
    ['the controlled one', 'natB'],
  ] as const)('%s: data arrives again within one consent interval, both ways', (_name, which) => {
    const net = new IceHarness({}, {}, { [which]: nat }).connected()
    net.run(60_000)
    const moved = which === 'natA' ? net.a : net.b
    const other = net.other(moved)
    moved.nat!.rebind()
    const start = net.now
    let received = moved.received.length
    while (moved.received.length === received && net.now - start < 30_000) {
      net.sendData(other, 'x')
      net.run(50)
      received = Math.min(received, moved.received.length)
    }
    expect(net.now - start).toBeLessThanOrEqual(6200)
    net.run(10_000)
    expect(net.isCompleted).toBe(true)
    net.sendData(moved, 'still there')
    net.run(100)
    expect(other.received).toContain('still there')
  })

  it.each(['natA', 'natB'] as const)('also to a peer that knows no renomination (%s)', (which) => {
    const net = new IceHarness({ renomination: false }, { renomination: false }, { [which]: nat }).connected()
    net.run(20_000)
    const moved = which === 'natA' ? net.a : net.b
    moved.nat!.rebind()
    net.run(7000)
    moved.received.length = 0
    net.sendData(net.other(moved), 'x')
    net.run(100)
    expect(moved.received).toEqual(['x'])
  })
})

/** Two interfaces on side a, one on b; the first is in use. */
function multihomed(options = {}): IceHarness {
  const net = new IceHarness(options, options)
  net.addHost(net.a, `${first}:5000`, { localPreference: 65_535 })
  net.addHost(net.a, `${second}:5000`, { localPreference: 65_000 })
  net.addHost(net.b, '198.51.100.1:5000')
  net.signalBoth()
  net.runUntil(() => net.isCompleted)
  net.run(300)
  return net
}

describe('two interfaces, of which the one in use dies', () => {
  const kill = (net: IceHarness) => {
    net.lose = ({ source, destination }) => source.ip === first || destination.ip === first
  }

  it.each([{}, { renomination: false }])(
    'the session moves to the other one, if that has been valid (%o)',
    (options) => {
      const net = multihomed(options)
      expect(net.a.agent.pairs().map(({ state }) => state)).toEqual(['succeeded', 'succeeded'])
      kill(net)
      net.run(15_000)
      expect(pathOf(net.a)).toBe(`${second}:5000 → 198.51.100.1:5000`)
      expect(pathOf(net.b)).toBe(`198.51.100.1:5000 → ${second}:5000`)
      expect(net.isCompleted).toBe(true)
    },
  )
})

describe('a socket that is removed', () => {
  it('takes its candidates and pairs with it, and the session on to another valid pair', () => {
    const net = new IceHarness()
    const socket = net.addHost(net.a, `${first}:5000`)
    net.addHost(net.b, '198.51.100.1:5000')
    net.signalBoth()
    net.runUntil(() => net.isCompleted)
    net.a.agent.removeSocket(socket, net.now)
    net.drain(net.a)
    expect(net.a.agent.state).toBe('disconnected')
    expect(net.a.agent.sendPath()).toBeUndefined()
    expect(net.a.agent.pairs()[0]?.failure).toBe('socket-removed')
    net.addHost(net.a, `${second}:5000`)
    net.signal(net.a)
    net.run(1000)
    expect(net.isCompleted).toBe(true)
    expect(pathOf(net.b)).toBe(`198.51.100.1:5000 → ${second}:5000`)
  })

  it('and nothing in its place fails the session after 30 s', () => {
    const net = new IceHarness().connected()
    net.run(60_000)
    net.a.agent.removeSocket([...net.a.sockets.keys()][0]!, net.now)
    net.drain(net.a)
    net.run(29_999)
    expect(net.a.agent.state).toBe('disconnected')
    net.run(1)
    expect(net.a.agent.state).toBe('failed')
    expect(net.events(net.a, 'restart-needed')[0]?.reason).toContain('lost')
  })
})

describe('pairs that were pruned when another one was nominated', () => {
  it('get their chance when that one dies', () => {
    const net = new IceHarness({ renomination: false }, { renomination: false })
    net.addHost(net.a, `${first}:5000`, { localPreference: 65_535 })
    net.addHost(net.b, '198.51.100.1:5000', { localPreference: 65_535 })
    net.signalBoth()
    // The second address is told late, and is not checked any more.
    net.lose = ({ source, destination }) => source.ip === second || destination.ip === second
    net.addHost(net.a, `${second}:5000`, { localPreference: 65_000 })
    net.signal(net.a)
    net.runUntil(() => net.isCompleted)
    expect(net.a.agent.pairs().map(({ failure }) => failure)).toEqual([undefined, 'pruned'])
    net.lose = ({ source, destination }) => source.ip === first || destination.ip === first
    net.run(20_000)
    expect(pathOf(net.a)).toBe(`${second}:5000 → 198.51.100.1:5000`)
    expect(net.isCompleted).toBe(true)
  })
})

/** Two direct paths; the first is slower by `slowMs` each way. */
function twoPaths(slowMs: number): IceHarness {
  const net = multihomed()
  net.slow = ({ source, destination }) => (source.ip === first || destination.ip === first ? slowMs : 0)
  return net
}

describe('valid pairs that are not in use', () => {
  it('are probed every 15 s where the session could move to them, and only there', () => {
    const net = multihomed()
    net.run(60_000)
    const probes = net.sent(net.a, 'probe').filter(({ at }) => at > 1000)
    expect(probes.map(({ at }) => Math.round((at - probes[0]!.at) / 1000))).toEqual(
      [0, 15, 30, 45].slice(0, probes.length),
    )
    expect(probes.length).toBeGreaterThanOrEqual(3)
    expect(new Set(probes.map(({ source }) => source.ip))).toEqual(new Set([second]))
    const without = multihomed({ renomination: false })
    without.run(60_000)
    expect(without.sent(without.a, 'probe')).toEqual([])
  })

  it('take over when they have become faster by a margin', () => {
    const net = twoPaths(30)
    expect(pathOf(net.a)).toBe(`${first}:5000 → 198.51.100.1:5000`)
    net.run(60_000)
    expect(pathOf(net.a)).toBe(`${second}:5000 → 198.51.100.1:5000`)
    expect(pathOf(net.b)).toBe(`198.51.100.1:5000 → ${second}:5000`)
    expect(net.events(net.a, 'selected-pair')).toHaveLength(2)
    expect(net.a.agent.pairs().filter(({ isNominated }) => isNominated)).toHaveLength(1)
  })

  it('do not for a few milliseconds', () => {
    const net = twoPaths(4)
    net.run(120_000)
    expect(net.events(net.a, 'selected-pair')).toHaveLength(1)
  })
})

describe('a faster path', () => {
  it('is moved to where both know renomination, and a small gain is not worth it', () => {
    const net = new IceHarness()
    net.addRelay(net.a, '203.0.113.9:7000')
    net.addRelay(net.b, '203.0.113.10:7000')
    net.signalBoth()
    net.runUntil(() => net.isCompleted)
    expect(selectedTypes(net.a)).toBe('relay/relay')
    net.addHost(net.a, `${first}:5000`)
    net.addHost(net.b, '198.51.100.1:5000')
    net.signalBoth()
    net.run(1000)
    expect(selectedTypes(net.a)).toBe('host/host')
    const { length } = net.events(net.a, 'selected-pair')
    net.run(120_000)
    expect(net.events(net.a, 'selected-pair')).toHaveLength(length)
  })
})
