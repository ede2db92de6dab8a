/** Host candidates by mDNS names: the peer's, and our own (draft-ietf-mmusic-mdns-ice-candidates). */

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { formatCandidate } from '../../src/ice/candidate-line.ts'
import { describeByName, newMdnsName } from '../../src/ice/mdns.ts'
import { IceHarness } from '../support/ice-harness.ts'
import { peerAddress, SoloIce } from '../support/ice-solo.ts'
import { seededRandom } from '../support/random.ts'

const name = '3fa6a5b5-9d7c-4c2e-8a3c-0f0f0f0f0f0f.local'
const line = `1 1 udp 2130706431 ${name} 2000 typ host`

describe('a candidate of the peer with an mDNS name', () => {
  it('is asked for once, and paired when its address is known', () => {
    const solo = SoloIce.ready()
    expect(solo.addRemote(peerAddress, line)).toBe('resolving')
    solo.addRemote(peerAddress, line.replace('2000', '2001'))
    expect(solo.events('resolve-name')).toEqual([{ type: 'resolve-name', name }])
    expect(solo.agent.pairs()).toHaveLength(1)
    solo.agent.nameResolved(name, [TransportAddress.of('198.51.100.9', 0)], solo.now)
    expect(solo.agent.pairs().map(({ remote }) => `${remote.address}`)).toEqual([
      '198.51.100.1:2000',
      '198.51.100.9:2000',
      '198.51.100.9:2001',
    ])
  })

  it('that has no address is ignored, and nothing else with it', () => {
    const solo = SoloIce.ready()
    solo.addRemote(peerAddress, line)
    solo.agent.nameResolved(name, [], solo.now)
    solo.drain()
    expect(solo.events('remote-candidate-ignored').map(({ reason }) => reason)).toEqual(['name-not-resolved'])
    solo.elapse(0)
    solo.answerAll()
    expect(solo.agent.state).toBe('connected')
  })

  it('delays no other check', () => {
    const solo = new SoloIce()
    solo.addHost()
    solo.describe()
    solo.addRemote(peerAddress, line)
    solo.addRemote(peerAddress)
    solo.elapse(0)
    expect(solo.requests()).toHaveLength(1)
  })

  it('whose check comes first is one and the same candidate', () => {
    const solo = SoloIce.ready()
    solo.addRemote(peerAddress, line)
    const address = TransportAddress.parse('198.51.100.9:2000')
    solo.check({}, address)
    solo.agent.nameResolved(name, [address.withPort(0)], solo.now)
    expect(solo.agent.pairs().filter(({ remote }) => remote.address.equals(address))).toHaveLength(1)
    expect(solo.agent.pairs().find(({ remote }) => remote.address.equals(address))?.remote.type).toBe('host')
    const { candidates } = solo.agent.stats(solo.now)
    expect(candidates.some((candidate) => candidate.address === address.ip)).toBe(false)
  })

  it('that comes before the end of candidates is added after it', () => {
    const solo = SoloIce.ready()
    solo.addRemote(peerAddress, line)
    solo.agent.endOfRemoteCandidates(solo.now)
    solo.agent.nameResolved(name, [TransportAddress.of('198.51.100.9', 0)], solo.now)
    expect(solo.agent.pairs()).toHaveLength(2)
  })

  it('of a generation that is over is not added', () => {
    const solo = SoloIce.ready()
    solo.addRemote(peerAddress, line)
    solo.describe({ ufrag: 'newfrag', pwd: 'y'.repeat(22) })
    solo.agent.nameResolved(name, [TransportAddress.of('198.51.100.9', 0)], solo.now)
    expect(solo.agent.pairs()).toEqual([])
  })

  it('is not paired with a relay, which could not reach it', () => {
    const solo = SoloIce.ready()
    solo.agent.addLocalCandidate(
      { type: 'relay', socket: 5 as never, address: TransportAddress.parse('203.0.113.1:1') },
      solo.now,
    )
    solo.addRemote(peerAddress, line)
    solo.agent.nameResolved(name, [TransportAddress.of('198.51.100.9', 0)], solo.now)
    const local = solo.agent.pairs().filter(({ remote }) => remote.address.ip === '198.51.100.9')
    expect(local.map((pair) => pair.local.type)).toEqual(['host'])
  })

  it('shows no address in the statistics', () => {
    const solo = SoloIce.ready()
    solo.addRemote(peerAddress, line)
    solo.agent.nameResolved(name, [TransportAddress.of('198.51.100.9', 0)], solo.now)
    const remotes = solo.agent.stats(solo.now).candidates.filter(({ type }) => type === 'remote-candidate')
    expect(remotes.map(({ address }) => address)).toEqual(['198.51.100.1', undefined])
  })

  it.each(['example.org', 'a.b.local', '-.local.', '<script>.local'])('is never asked for by %s', (host) => {
    const solo = SoloIce.ready()
    solo.agent.addRemoteCandidate(
      {
        foundation: '1',
        component: 1,
        protocol: 'udp',
        priority: 1,
        type: 'host',
        address: { name: host, port: 1 },
      },
      solo.now,
    )
    solo.drain()
    expect(solo.events('resolve-name')).toEqual([])
    expect(solo.events('remote-candidate-ignored')[0]?.reason).toBe('unusable-name')
  })
})

describe('our own candidates by name', () => {
  const hidden = () => {
    const solo = new SoloIce({ describe: describeByName(() => name) })
    solo.addHost()
    solo.agent.addLocalCandidate(
      {
        type: 'srflx',
        socket: 1 as never,
        address: TransportAddress.parse('203.0.113.7:4000'),
        base: TransportAddress.parse('192.0.2.1:1000'),
      },
      solo.now,
    )
    solo.drain()
    return solo.events('local-candidate').map(({ candidate }) => formatCandidate(candidate))
  }

  it('tell no address of an interface, in no part of them', () => {
    for (const told of hidden()) expect(told).not.toContain('192.0.2.1')
  })

  it('are the name with the port, and an empty related address', () => {
    const [host, reflexive] = hidden()
    expect(host).toContain(`${name} 1000 typ host`)
    expect(reflexive).toContain('203.0.113.7 4000 typ srflx raddr 0.0.0.0 rport 9')
  })

  it('have random names of the form that others accept', () => {
    const random = seededRandom(3)
    const names = Array.from({ length: 100 }, () => newMdnsName(random))
    expect(new Set(names).size).toBe(100)
    for (const each of names) {
      expect(each).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.local$/)
    }
  })
})

it('two agents connect by names', () => {
  const names = new Map<string, TransportAddress>()
  const hide = describeByName((address) => {
    const given = `${address.ip.replaceAll('.', '-')}.local`
    names.set(given, address)
    return given
  })
  const net = new IceHarness({ describe: hide }, { describe: hide }).simple()
  for (const of of [net.a, net.b]) {
    for (const { name: asked } of net.events(of, 'resolve-name')) {
      of.agent.nameResolved(asked, [names.get(asked)!], net.now)
    }
  }
  expect(net.runUntil(() => net.isCompleted, 1000)).toBe(true)
})
