/** Which pair is nominated, when, and how the two sides agree on it (RFC 8445 §8.1). */

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { defaultPolicy } from '../../src/ice/default-policy.ts'
import { decode, IceHarness, pathOf, selectedTypes } from '../support/ice-harness.ts'
import { decoded, peerAddress, SoloIce } from '../support/ice-solo.ts'

const better = '1 1 udp 2130706431 HOST PORT typ host'
const worse = '2 1 udp 1694498815 HOST PORT typ srflx'
const relayed = '3 1 udp 16777215 HOST PORT typ relay'
const second = TransportAddress.parse('198.51.100.2:3000')

/** A controlling agent with candidates of the peer, all checked, none answered; and their requests by port. */
function checked(lines: readonly string[], description = {}): SoloIce {
  const solo = new SoloIce()
  solo.addHost()
  solo.describe({ pacingMs: 5, ...description })
  lines.forEach((line, i) => {
    solo.addRemote(peerAddress.withPort(2000 + i), line)
  })
  solo.elapse(5 * lines.length)
  return solo
}

function requestTo(solo: SoloIce, port: number) {
  return solo.requests().find(({ destination, purpose }) => destination.port === port && purpose === 'check')!
}

function nominations(solo: SoloIce): number[] {
  return solo
    .requests()
    .filter(({ purpose }) => purpose === 'nomination')
    .map(({ destination }) => destination.port)
}

describe('the controlling side', () => {
  it('nominates with the answer to the best pair, without waiting', () => {
    const solo = checked([better, worse])
    solo.answer(requestTo(solo, 2000))
    expect(nominations(solo)).toEqual([2000])
    expect(decoded(solo.requests().at(-1)!).has('USE-CANDIDATE')).toBe(true)
  })

  it('waits for a better pair only as long as that could still be answered by then', () => {
    const solo = checked([better, worse])
    solo.elapse(40)
    solo.answer(requestTo(solo, 2001))
    // The better pair was checked 5 ms earlier, and has had more time than the worse one took.
    expect(nominations(solo)).toEqual([2001])
  })

  it('waits for a better pair that was checked later', () => {
    const solo = checked([worse])
    solo.elapse(20)
    solo.addRemote(second, better)
    solo.elapse(5)
    solo.answer(requestTo(solo, 2000))
    expect(nominations(solo)).toEqual([])
    solo.elapse(10)
    solo.answer(requestTo(solo, 3000))
    expect(nominations(solo)).toEqual([3000])
  })

  it('and no longer', () => {
    const solo = checked([worse])
    solo.elapse(20)
    solo.addRemote(second, better)
    solo.elapse(5)
    solo.answer(requestTo(solo, 2000))
    solo.elapse(30)
    expect(nominations(solo)).toEqual([2000])
  })

  it('sends data on the first valid pair meanwhile', () => {
    const solo = checked([better, relayed])
    solo.answer(requestTo(solo, 2001))
    expect(solo.agent.state).toBe('connected')
    expect(solo.agent.sendPath()?.destination.port).toBe(2001)
    expect(nominations(solo)).toEqual([])
  })

  it('gives a direct path its first retransmission before it settles for a relay', () => {
    const solo = checked([better, relayed])
    solo.answer(requestTo(solo, 2001))
    solo.elapse(400)
    expect(nominations(solo)).toEqual([])
    solo.elapse(200)
    expect(nominations(solo)).toEqual([2001])
  })

  it('takes the relay at once where renomination can take it back', () => {
    const solo = checked([better, relayed], { options: ['renomination'] })
    solo.answer(requestTo(solo, 2001))
    expect(nominations(solo)).toEqual([2001])
  })

  it('nominates one pair and no other', () => {
    const solo = checked([better, worse])
    solo.answer(requestTo(solo, 2000))
    solo.answer(requestTo(solo, 2001))
    solo.elapse(3000)
    expect(new Set(nominations(solo))).toEqual(new Set([2000]))
    expect(solo.agent.pairs().filter(({ isNominated }) => isNominated).length).toBeLessThanOrEqual(1)
  })

  it('nominates another valid pair when the nomination comes to nothing', () => {
    const solo = checked([better, worse])
    solo.answer(requestTo(solo, 2000))
    solo.answer(requestTo(solo, 2001))
    solo.elapse(8000)
    // Silence on the path in use: the other one has been probed.
    const probe = solo
      .requests()
      .find(({ destination, purpose }) => destination.port === 2001 && purpose === 'probe')
    solo.answer(probe!)
    expect(nominations(solo)).toContain(2001)
    solo.answer(
      solo
        .requests()
        .find(({ destination, purpose }) => destination.port === 2001 && purpose === 'nomination')!,
    )
    expect(solo.agent.state).toBe('completed')
    expect(solo.agent.sendPath()?.destination.port).toBe(2001)
  })

  it('ends the checks of everything else, and keeps what is valid', () => {
    const solo = checked([better, worse, relayed])
    solo.answer(requestTo(solo, 2001))
    solo.answer(requestTo(solo, 2000))
    solo.answer(solo.requests().find(({ purpose }) => purpose === 'nomination')!)
    const states = Object.fromEntries(
      solo.agent.pairs().map(({ remote, state, failure }) => [remote.address.port, failure ?? state]),
    )
    expect(states).toEqual({ 2000: 'succeeded', 2001: 'succeeded', 2002: 'pruned' })
  })

  it('asks the policy, which may do otherwise', () => {
    const solo = new SoloIce({
      policy: {
        ...defaultPolicy,
        nominate: ({ pairs }) => pairs.find((pair) => pair.isValid && pair.remote.type === 'srflx'),
      },
    })
    solo.addHost()
    solo.describe({ pacingMs: 5 })
    solo.addRemote(peerAddress.withPort(2000), better)
    solo.addRemote(peerAddress.withPort(2001), worse)
    solo.elapse(10)
    solo.answer(requestTo(solo, 2000))
    expect(nominations(solo)).toEqual([])
    solo.answer(requestTo(solo, 2001))
    expect(nominations(solo)).toEqual([2001])
  })

  it('asks a policy that wants to be asked at once again a little later', () => {
    const solo = new SoloIce({ policy: { ...defaultPolicy, nominate: ({ now }) => ({ waitUntil: now }) } })
    solo.addHost()
    solo.describe()
    solo.addRemote(peerAddress)
    solo.elapse(0)
    solo.answerAll()
    expect(solo.agent.pollTimeout()).toBe(solo.now + 1)
  })
})

describe('a policy that prunes', () => {
  it('keeps pairs off the list that it has no use for', () => {
    const solo = new SoloIce({
      policy: {
        ...defaultPolicy,
        prune: ({ pairs }) => pairs.filter(({ remote }) => remote.type === 'relay'),
      },
    })
    solo.addHost()
    solo.describe({ pacingMs: 5 })
    solo.addRemote(peerAddress, better)
    solo.addRemote(second, relayed)
    solo.elapse(1000)
    expect(new Set(solo.requests().map(({ destination }) => `${destination}`))).toEqual(
      new Set([`${peerAddress}`]),
    )
    expect(solo.agent.pairs().map(({ failure }) => failure)).toEqual([undefined, 'pruned'])
  })

  it('never prunes the pair in use', () => {
    const solo = new SoloIce({ policy: { ...defaultPolicy, prune: ({ pairs }) => pairs } })
    solo.addHost()
    solo.check()
    solo.describe()
    expect(solo.agent.pairs()[0]?.failure).toBe('pruned')
    solo.check()
    solo.elapse(0)
    solo.answerAll()
    solo.addRemote(second, worse)
    expect(solo.agent.sendPath()?.destination).toEqual(peerAddress)
  })
})

describe('the controlled side', () => {
  const valid = () => {
    const solo = new SoloIce({ role: 'controlled' })
    solo.addHost()
    solo.describe({ pacingMs: 5 })
    solo.addRemote(peerAddress.withPort(2000), better)
    solo.addRemote(peerAddress.withPort(2001), worse)
    solo.elapse(10)
    solo.answerAll()
    return solo
  }

  it('never nominates', () => {
    const solo = valid()
    solo.elapse(5000)
    expect(solo.requests().some((request) => decoded(request).has('USE-CANDIDATE'))).toBe(false)
  })

  it('uses what the peer nominates, be it the worse pair', () => {
    const solo = valid()
    solo.check({ nominate: true }, peerAddress.withPort(2001))
    expect(solo.agent.sendPath()?.destination.port).toBe(2001)
  })

  it('takes the best of several nominations: a peer that is aggressive', () => {
    const solo = valid()
    solo.check({ nominate: true }, peerAddress.withPort(2001))
    solo.check({ nominate: true }, peerAddress.withPort(2000))
    expect(solo.agent.sendPath()?.destination.port).toBe(2000)
    solo.check({ nominate: true }, peerAddress.withPort(2001))
    expect(solo.agent.sendPath()?.destination.port).toBe(2000)
  })

  it('accepts a better pair after it has completed', () => {
    const solo = SoloIce.connected({ role: 'controlled' })
    solo.check({ nominate: true, priority: 2_130_706_431 }, second)
    solo.elapse(100)
    solo.answerAll()
    expect(solo.agent.sendPath()?.destination).toEqual(second)
  })
})

describe('renomination', () => {
  const both = { options: ['renomination'] }

  it('goes by the value, not by the priority', () => {
    const solo = SoloIce.connected({ role: 'controlled' }, both)
    solo.check({ nomination: 3 })
    solo.check({ nomination: 5, priority: 1 }, second)
    solo.elapse(100)
    solo.answerAll()
    expect(solo.agent.sendPath()?.destination).toEqual(second)
    solo.check({ nomination: 4 })
    expect(solo.agent.sendPath()?.destination).toEqual(second)
    solo.check({ nomination: 6 })
    expect(solo.agent.sendPath()?.destination).toEqual(peerAddress)
  })

  it('is offered, and its attribute is sent to a peer that knows it', () => {
    const knows = checked([better], both)
    knows.answer(requestTo(knows, 2000))
    expect(decoded(knows.requests().at(-1)!).get('NOMINATION')).toBe(1)
    const doesNot = checked([better])
    doesNot.answer(requestTo(doesNot, 2000))
    expect(decoded(doesNot.requests().at(-1)!).get('NOMINATION')).toBeUndefined()
    expect(knows.agent.localDescription.options).toContain('renomination')
  })

  it.each([0, 1, 2 ** 31, 2 ** 32 - 1])('takes any value that fits: %i', (value) => {
    const solo = SoloIce.connected({ role: 'controlled' }, both)
    solo.check({ nomination: value, priority: 2_130_706_431 }, second)
    solo.elapse(100)
    solo.answerAll()
    expect(solo.agent.sendPath()?.destination).toEqual(second)
  })

  it('moves a session from a relay to a direct path that comes later', () => {
    const net = new IceHarness()
    net.addRelay(net.a, '203.0.113.9:7000')
    net.addHost(net.b, '198.51.100.1:5000')
    net.signalBoth()
    net.runUntil(() => net.isCompleted)
    expect(selectedTypes(net.a)).toBe('relay/host')
    net.addHost(net.a, '192.0.2.1:5000')
    net.signal(net.a)
    net.run(500)
    expect(selectedTypes(net.a)).toBe('host/host')
    expect([pathOf(net.a), pathOf(net.b)]).toEqual([
      '192.0.2.1:5000 → 198.51.100.1:5000',
      '198.51.100.1:5000 → 192.0.2.1:5000',
    ])
    expect(net.states(net.a)).toEqual(['checking', 'connected', 'completed'])
  })

  it('without it, what was nominated stays', () => {
    const net = new IceHarness({ renomination: false }, {})
    net.addRelay(net.a, '203.0.113.9:7000')
    net.addHost(net.b, '198.51.100.1:5000')
    net.signalBoth()
    net.runUntil(() => net.isCompleted)
    net.addHost(net.a, '192.0.2.1:5000')
    net.signal(net.a)
    net.run(2000)
    expect(selectedTypes(net.a)).toBe('relay/host')
    expect(net.sent(net.a, 'nomination')).toHaveLength(1)
  })
})

describe('on both sides', () => {
  it('exactly one pair is nominated, and it is the same', () => {
    const net = new IceHarness()
    for (const of of [net.a, net.b]) {
      for (let i = 1; i <= 3; i++) net.addHost(of, `${of === net.a ? '192.0.2' : '198.51.100'}.${i}:5000`)
    }
    net.signalBoth()
    net.runUntil(() => net.isCompleted)
    net.run(5000)
    const [a] = net.a.agent.pairs().filter(({ isNominated }) => isNominated)
    const [b, ...more] = net.b.agent.pairs().filter(({ isNominated }) => isNominated)
    expect(more).toEqual([])
    expect(a?.local.address).toEqual(b?.remote.address)
    expect(a?.remote.address).toEqual(b?.local.address)
    const nominating = net.packets.filter(({ purpose }) => purpose === 'nomination')
    expect(nominating.map((packet) => decode(packet).has('USE-CANDIDATE'))).toEqual([true])
  })
})
