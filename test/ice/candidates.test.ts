/** What becomes of gathered candidates: foundations, preferences, filters, and 1:1 address mapping (RFC 8445 §5.1). */

import { describe, expect, it } from 'vitest'
import { socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { candidateFilters } from '../../src/ice/candidate-filter.ts'
import type { GatheredCandidate } from '../../src/ice/gathered-candidate.ts'
import type { IceAgentOptions } from '../../src/ice/options.ts'
import { IceHarness } from '../support/ice-harness.ts'
import { SoloIce } from '../support/ice-solo.ts'

const at = TransportAddress.parse
const base = at('10.0.0.1:1000')
const server = at('203.0.113.3:3478')

function gather(candidates: readonly GatheredCandidate[], options: Partial<IceAgentOptions> = {}) {
  const solo = new SoloIce(options)
  for (const candidate of candidates) solo.agent.addLocalCandidate(candidate, solo.now)
  solo.drain()
  return solo.events('local-candidate').map(({ local }) => local)
}

const host: GatheredCandidate = { type: 'host', socket: socketId(1), address: base }
const srflx: GatheredCandidate = {
  type: 'srflx',
  socket: socketId(1),
  address: at('192.0.2.1:4000'),
  base,
  server,
}
const relay: GatheredCandidate = {
  type: 'relay',
  socket: socketId(2),
  address: at('203.0.113.3:5000'),
  server,
}

describe('foundations', () => {
  it('are equal for the same type, base address, server address and transport, and only then', () => {
    const all = gather([
      host,
      { ...host, socket: socketId(3), address: at('10.0.0.1:1001') },
      { ...host, socket: socketId(4), address: at('10.0.0.2:1000') },
      srflx,
      { ...srflx, socket: socketId(3), address: at('192.0.2.1:4001'), base: at('10.0.0.1:1001') },
      { ...srflx, socket: socketId(5), address: at('192.0.2.1:4002'), server: at('203.0.113.4:3478') },
      relay,
      { ...host, socket: socketId(6), protocol: 'tcp', tcpType: 'passive' },
    ])
    const foundations = all.map(({ foundation }) => foundation)
    expect(foundations[0]).toBe(foundations[1])
    expect(foundations[3]).toBe(foundations[4])
    expect(new Set(foundations).size).toBe(6)
  })
})

describe('a redundant candidate', () => {
  it('is one with the address and base of another (RFC 8445 §5.1.3)', () => {
    const solo = new SoloIce()
    const add = (candidate: GatheredCandidate) => solo.agent.addLocalCandidate(candidate, solo.now)
    expect(add(host)).toBe('added')
    expect(add({ ...srflx, address: base })).toBe('redundant')
    expect(add(srflx)).toBe('added')
    expect(add({ ...srflx, server: at('203.0.113.9:1') })).toBe('redundant')
    expect(add({ ...srflx, socket: socketId(2) })).toBe('added')
  })
})

describe('priorities', () => {
  it('are unique, and relays by UDP go before those by TCP and TLS', () => {
    const all = gather([
      host,
      { ...host, socket: socketId(3), address: at('10.0.0.2:1') },
      { ...relay, relayProtocol: 'tls', socket: socketId(4), address: at('203.0.113.3:5001') },
      { ...relay, relayProtocol: 'tcp', socket: socketId(5), address: at('203.0.113.3:5002') },
      { ...relay, relayProtocol: 'udp' },
      { ...host, socket: socketId(6), address: at('10.0.0.3:1'), localPreference: 65_535 },
    ])
    expect(new Set(all.map(({ priority }) => priority)).size).toBe(all.length)
    const relays = all.filter(({ type }) => type === 'relay').sort((x, y) => y.priority - x.priority)
    expect(relays.map(({ relayProtocol }) => relayProtocol)).toEqual(['udp', 'tcp', 'tls'])
    expect(all[0]?.priority).toBe(2_130_706_431)
  })

  it('of the two families alternate in the order of arrival, IPv6 first', () => {
    const all = gather([
      { ...host, address: at('[2001:db8::1]:1') },
      { ...host, socket: socketId(2), address: at('[2001:db8::2]:1') },
      { ...host, socket: socketId(3), address: at('10.0.0.1:1') },
      { ...host, socket: socketId(4), address: at('10.0.0.2:1') },
    ])
    const order = all.sort((x, y) => y.priority - x.priority).map(({ address }) => address.family)
    expect(order).toEqual(['IPv6', 'IPv4', 'IPv6', 'IPv4'])
  })
})

describe('filters', () => {
  it('of what is gathered keep a candidate out altogether', () => {
    const net = new IceHarness({ gatherFilter: candidateFilters.relay }, {})
    net.addHost(net.a, '10.0.0.1:1000')
    net.addRelay(net.a, '203.0.113.9:7000')
    net.addHost(net.b, '198.51.100.1:5000')
    net.signalBoth()
    net.run(1000)
    expect(net.a.agent.pairs().map(({ local }) => local.type)).toEqual(['relay'])
    expect(net.packets.filter(({ from }) => from === 'a').every(({ socket }) => socket === 2)).toBe(true)
    expect(net.isCompleted).toBe(true)
  })

  it('of what is told keep it from the peer and use it all the same', () => {
    const net = new IceHarness({ advertiseFilter: candidateFilters['no-host'] }, {}).simple()
    expect(net.events(net.a, 'local-candidate')).toEqual([])
    expect(net.runUntil(() => net.isCompleted, 2000)).toBe(true)
  })

  it('that refuse the host candidate leave its reflexive one with a socket to use', () => {
    const net = new IceHarness(
      { gatherFilter: candidateFilters['no-host'] },
      {},
      { natA: { mapping: 'EIM', filtering: 'APDF' } },
    )
    net.simple()
    expect(net.runUntil(() => net.isCompleted, 2000)).toBe(true)
    expect(net.a.agent.pairs()[0]?.local.type).toBe('srflx')
  })

  it('of udp only take no TCP', () => {
    const tcp = { ...host, protocol: 'tcp', tcpType: 'active' } as const
    expect(gather([tcp, host], { gatherFilter: candidateFilters['udp-only'] })).toHaveLength(1)
  })
})

describe('1:1 address mapping', () => {
  const external = at('198.51.100.77:0')

  it('shows the public address instead of the interface', () => {
    const [candidate] = gather([host], { addressMapping: [{ external, as: 'host' }] })
    expect(candidate).toMatchObject({ type: 'host', address: at('198.51.100.77:1000'), base })
  })

  it('or as a server-reflexive candidate besides it', () => {
    const all = gather([host], { addressMapping: [{ external, as: 'srflx' }] })
    expect(all.map(({ type, address }) => `${type} ${address}`)).toEqual([
      'host 10.0.0.1:1000',
      'srflx 198.51.100.77:1000',
    ])
    expect(all[1]?.related).toEqual(base)
  })

  it('is for one interface if it says so, and for one family in any case', () => {
    const mapping = { external, local: at('10.0.0.9:0'), as: 'host' } as const
    expect(gather([host], { addressMapping: [mapping] })[0]?.address).toEqual(base)
    const v6 = { ...host, address: at('[2001:db8::1]:1') }
    expect(gather([v6], { addressMapping: [{ external, as: 'host' }] })[0]?.address).toEqual(v6.address)
  })

  it('leaves reflexive and relayed candidates alone', () => {
    const all = gather([srflx, relay], { addressMapping: [{ external, as: 'host' }] })
    expect(all.map(({ address }) => address)).toEqual([srflx.address, relay.address])
  })

  it('survives a restart', () => {
    const solo = new SoloIce({ addressMapping: [{ external, as: 'srflx' }] })
    solo.agent.addLocalCandidate(host, solo.now)
    solo.agent.restart(solo.now)
    solo.drain()
    expect(solo.events('local-candidate').map(({ local }) => local.type)).toEqual([
      'host',
      'srflx',
      'host',
      'srflx',
    ])
  })

  it('connects a host that knows of no other address', () => {
    const net = new IceHarness({ addressMapping: [{ external: at('192.0.2.1:0'), as: 'host' }] }, {})
    // To the wire the socket is at the public address: that is what a 1:1 NAT does.
    net.addHost(net.a, '192.0.2.1:5000', { address: at('10.0.0.1:5000') })
    net.addHost(net.b, '198.51.100.1:5000')
    net.signalBoth()
    expect(net.runUntil(() => net.isCompleted, 1000)).toBe(true)
    expect(net.a.agent.pairs()[0]?.local.type).toBe('host')
  })
})
