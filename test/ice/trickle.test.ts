/** Candidates that come one by one (RFC 8838), and patience with those that do not come (RFC 8863). */

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { IceHarness } from '../support/ice-harness.ts'
import { peerAddress, SoloIce } from '../support/ice-solo.ts'

const line = '1 1 udp 2130706431 HOST PORT typ host'

describe('a candidate of the peer', () => {
  it('that comes before the description waits for it', () => {
    const solo = new SoloIce()
    solo.addHost()
    expect(solo.addRemote(peerAddress)).toBe('buffered')
    solo.describe()
    expect(solo.agent.pairs()).toHaveLength(1)
  })

  it('that comes before the description and belongs to another one goes on waiting', () => {
    const solo = new SoloIce()
    solo.addHost()
    expect(solo.addRemote(peerAddress, `${line} ufrag other`)).toBe('buffered')
    solo.describe()
    expect(solo.agent.pairs()).toEqual([])
    solo.describe({ ufrag: 'other', pwd: 'z'.repeat(22) })
    expect(solo.agent.pairs()).toHaveLength(1)
  })

  it('that comes while checks are under way is checked at once', () => {
    const solo = SoloIce.ready()
    solo.elapse(1000)
    solo.takeOutputs()
    solo.addRemote(peerAddress.withPort(3000), '2 1 udp 1694498815 HOST PORT typ srflx')
    solo.elapse(0)
    expect(solo.requests().map(({ destination }) => destination.port)).toEqual([3000])
  })

  it('twice is redundant', () => {
    const solo = SoloIce.ready()
    expect(solo.addRemote(peerAddress)).toBe('redundant')
    expect(solo.agent.pairs()).toHaveLength(1)
  })

  it('under a better type takes that type', () => {
    const solo = new SoloIce()
    solo.addHost()
    solo.describe()
    solo.addRemote(peerAddress, '2 1 udp 1694498815 HOST PORT typ srflx')
    expect(solo.addRemote(peerAddress)).toBe('added')
    expect(solo.agent.pairs().map(({ remote }) => remote.type)).toEqual(['host'])
  })

  it.each([
    ['after the end of candidates', '192.0.2.9:9', line, 'after-end-of-candidates', true],
    ['the unspecified address', '0.0.0.0:9', line, 'unusable-address', false],
    ['a group', '224.0.0.251:5353', line, 'unusable-address', false],
    ['the broadcast address', '255.255.255.255:9', line, 'unusable-address', false],
    ['an IPv6 group', '[ff02::fb]:5353', line, 'unusable-address', false],
    ['port 0', '192.0.2.9:0', line, 'unusable-address', false],
    [
      'a component that is not there',
      '192.0.2.9:9',
      '1 2 udp 1 HOST PORT typ host',
      'no-such-component',
      false,
    ],
  ] as const)('of no use is ignored with the reason: %s', (_name, address, text, reason, isOver) => {
    const solo = SoloIce.ready()
    if (isOver) solo.agent.endOfRemoteCandidates(solo.now)
    expect(solo.addRemote(TransportAddress.parse(address), text)).toBe(reason)
    expect(solo.events('remote-candidate-ignored')[0]?.reason).toBe(reason)
    expect(solo.agent.pairs()).toHaveLength(1)
  })

  it('of another family, or link-local where we are not, is paired with nothing', () => {
    const solo = SoloIce.ready()
    expect(solo.addRemote(TransportAddress.parse('[2001:db8::1]:1'))).toBe('added')
    solo.addHost(TransportAddress.parse('[2001:db8::2]:1'), 2 as never)
    expect(solo.agent.pairs()).toHaveLength(2)
    solo.addRemote(TransportAddress.parse('[fe80::1]:1'))
    expect(solo.agent.pairs()).toHaveLength(2)
  })

  it('is one of many only up to a limit', () => {
    const solo = new SoloIce()
    solo.addHost()
    solo.describe()
    for (let port = 1; port <= 300; port++)
      solo.addRemote(peerAddress.withPort(port), `${port} 1 udp ${port} HOST PORT typ host`)
    expect(solo.agent.pairs()).toHaveLength(100)
    // The best ones stay.
    expect(solo.agent.pairs()[0]?.remote.priority).toBe(256)
    expect(solo.agent.pairs().at(-1)?.remote.priority).toBe(157)
  })
})

describe('the limit of pairs', () => {
  it('lets a failed pair go first', () => {
    const solo = new SoloIce({ maxPairs: 2 })
    solo.addHost()
    solo.describe({ pacingMs: 5 })
    solo.addRemote(peerAddress, '1 1 udp 3000 HOST PORT typ host')
    solo.elapse(45_000)
    expect(solo.agent.pairs()[0]?.state).toBe('failed')
    const other = SoloIce.ready({ maxPairs: 1 })
    other.elapse(39_500)
    expect(other.agent.state).toBe('failed')
    expect(other.agent.pairs()).toHaveLength(1)
  })
})

describe('a session without a single pair', () => {
  it('is not failed before patience is over (RFC 8863 §4)', () => {
    const solo = new SoloIce()
    solo.addHost()
    solo.describe()
    solo.agent.endOfLocalCandidates(solo.now)
    solo.agent.endOfRemoteCandidates(solo.now)
    solo.elapse(39_499)
    expect(solo.agent.state).toBe('checking')
    solo.elapse(1)
    expect(solo.agent.state).toBe('failed')
    expect(solo.events('restart-needed')).toEqual([
      { type: 'restart-needed', reason: 'no candidate pairs', pairs: [] },
    ])
  })

  it('is saved by a check of the peer', () => {
    const solo = new SoloIce({ role: 'controlled' })
    solo.addHost()
    solo.describe()
    solo.elapse(30_000)
    solo.check({ nominate: true })
    solo.elapse(0)
    solo.answerAll()
    expect(solo.agent.state).toBe('completed')
  })

  it('does not lose patience before it knows the peer', () => {
    const solo = new SoloIce()
    solo.addHost()
    solo.elapse(600_000)
    expect(solo.agent.state).toBe('new')
    expect(solo.agent.pollTimeout()).toBeUndefined()
  })

  it('has the patience that it is given', () => {
    const solo = new SoloIce({ patienceMs: 5000 })
    solo.describe()
    solo.elapse(5000)
    expect(solo.agent.state).toBe('failed')
  })
})

describe('a session whose pairs have failed early', () => {
  it('waits for checks of the peer all the same', () => {
    const solo = SoloIce.ready()
    solo.elapse(0)
    solo.agent.sendFailed(solo.agent.pairs()[0]!.local.socket, peerAddress, 'ENETUNREACH', solo.now)
    expect(solo.agent.pairs()[0]).toMatchObject({ failure: 'unreachable', failureDetail: 'ENETUNREACH' })
    solo.elapse(39_000)
    expect(solo.agent.state).toBe('checking')
    solo.elapse(1000)
    expect(solo.agent.state).toBe('failed')
  })
})

describe('two sides that trickle', () => {
  it('connect however late and in whatever order the candidates come', () => {
    const net = new IceHarness()
    net.a.agent.setRemoteDescription(net.b.agent.localDescription, net.now)
    net.run(1000)
    net.addHost(net.a, '192.0.2.1:5000')
    net.run(1000)
    net.signal(net.a)
    net.run(1000)
    net.addHost(net.b, '198.51.100.1:5000')
    net.run(200)
    net.signal(net.b)
    net.run(1000)
    expect(net.isCompleted).toBe(true)
  })

  it('connect when one of them tells no candidate at all', () => {
    const net = new IceHarness({ advertiseFilter: () => false }, {})
    net.simple()
    expect(net.events(net.a, 'local-candidate')).toEqual([])
    net.runUntil(() => net.isCompleted, 2000)
    expect(net.b.agent.pairs().find(({ isNominated }) => isNominated)?.remote.type).toBe('prflx')
  })

  it('say when they have told all, once', () => {
    const net = new IceHarness().simple()
    net.endBoth()
    net.endBoth()
    const { ufrag } = net.a.agent.localDescription
    expect(net.events(net.a, 'end-of-candidates')).toEqual([{ type: 'end-of-candidates', ufrag }])
    expect(
      net.a.agent.addLocalCandidate({ type: 'host', socket: 9 as never, address: peerAddress }, net.now),
    ).toBe('ended')
  })
})
