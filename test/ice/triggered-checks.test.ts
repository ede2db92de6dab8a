/** A check of the peer in every state of its pair (RFC 8445 §7.3.1.4, §7.3.1.5), and peer-reflexive candidates. */

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { PairState } from '../../src/ice/candidate-pair.ts'
import { decoded, hostAddress, peerAddress, SoloIce } from '../support/ice-solo.ts'

const elsewhere = TransportAddress.parse('203.0.113.50:5000')

/** An agent whose one pair is in the given state. */
const inState: Record<Exclude<PairState, 'waiting'>, () => SoloIce> = {
  frozen: () => SoloIce.ready({ role: 'controlled' }),
  'in-progress': () => {
    const solo = SoloIce.ready({ role: 'controlled' })
    solo.elapse(0)
    return solo
  },
  succeeded: () => SoloIce.connected({ role: 'controlled', consent: false }),
  failed: () => {
    const solo = SoloIce.ready({ role: 'controlled' })
    solo.elapse(45_000)
    return solo
  },
}

describe.each(['frozen', 'in-progress', 'failed'] as const)('a check on a pair that is %s', (state) => {
  it('triggers a check of the pair', () => {
    const solo = inState[state]()
    solo.takeOutputs()
    solo.check()
    solo.elapse(100)
    const checks = solo.requests().filter(({ purpose }) => purpose === 'check')
    expect(checks.map(({ destination }) => destination)).toEqual([peerAddress])
    solo.answerAll()
    expect(solo.agent.pairs()[0]).toMatchObject({ state: 'succeeded' })
  })

  it('that nominates selects it when the triggered check succeeds', () => {
    const solo = inState[state]()
    solo.takeOutputs()
    solo.check({ nominate: true })
    solo.elapse(100)
    expect(solo.agent.state).not.toBe('completed')
    solo.answerAll()
    expect(solo.agent.state).toBe('completed')
  })
})

describe('a check on a pair that has succeeded', () => {
  it('triggers nothing', () => {
    const solo = inState.succeeded()
    solo.check()
    solo.elapse(3000)
    expect(solo.requests()).toEqual([])
  })

  it('that nominates selects it at once', () => {
    const solo = SoloIce.ready({ role: 'controlled' })
    solo.elapse(0)
    solo.answerAll()
    expect(solo.agent.state).toBe('connected')
    solo.check({ nominate: true })
    expect(solo.agent.state).toBe('completed')
  })
})

describe('a check on a pair that is in progress', () => {
  it('cancels the check under way: it is not sent again, and its failure is none', () => {
    const solo = inState['in-progress']()
    const [first] = solo.requests()
    solo.takeOutputs()
    solo.check()
    solo.elapse(100)
    solo.answerAll()
    expect(solo.agent.state).toBe('connected')
    solo.elapse(3000)
    expect(solo.requests().filter(({ bytes }) => bytes === first!.bytes)).toEqual([])
  })

  it('leaves the cancelled check its answer', () => {
    const solo = inState['in-progress']()
    const [first] = solo.requests()
    solo.check()
    solo.elapse(100)
    solo.answer(first!)
    expect(solo.agent.state).toBe('connected')
  })

  it('takes the nomination when that answer comes', () => {
    const solo = inState['in-progress']()
    const [first] = solo.requests()
    solo.check({ nominate: true })
    solo.answer(first!)
    expect(solo.agent.state).toBe('completed')
  })
})

describe('a check from an address that nobody has told us of', () => {
  it('makes a peer-reflexive candidate with the priority that it carries, and one pair with it', () => {
    const solo = SoloIce.ready()
    solo.check({ priority: 1_845_501_695 }, elsewhere)
    const learnt = solo.agent.pairs().find(({ remote }) => remote.type === 'prflx')
    expect(learnt?.remote).toMatchObject({ priority: 1_845_501_695, address: elsewhere })
    expect(solo.agent.pairs()).toHaveLength(2)
    const foundations = solo.agent.pairs().map(({ remote }) => remote.foundation)
    expect(new Set(foundations).size).toBe(2)
  })

  it('a second time makes no second candidate', () => {
    const solo = SoloIce.ready()
    solo.check({}, elsewhere)
    solo.check({}, elsewhere)
    expect(solo.agent.pairs()).toHaveLength(2)
  })

  it('becomes the signalled candidate in place: check, counters and nomination live on', () => {
    const solo = SoloIce.ready({ role: 'controlled' })
    solo.check({ nominate: true }, elsewhere)
    solo.elapse(100)
    const request = solo.requests().find(({ destination }) => destination.equals(elsewhere))!
    const verdict = solo.addRemote(
      elsewhere,
      'sx 1 udp 1694498815 HOST PORT typ srflx raddr 10.0.0.9 rport 1',
    )
    expect(verdict).toBe('added')
    solo.answer(request)
    expect(solo.agent.state).toBe('completed')
    const pair = solo.agent.pairs().find(({ isNominated }) => isNominated)
    expect(pair?.remote).toMatchObject({ type: 'srflx', foundation: 'sx', priority: 1_694_498_815 })
    expect(solo.agent.stats(solo.now).pairs.find(({ id }) => id === pair?.id)?.requestsReceived).toBe(1)
    expect(solo.agent.pairs()).toHaveLength(2)
  })

  it('is paired with our other sockets once it has been signalled', () => {
    const solo = SoloIce.ready()
    solo.addHost(TransportAddress.parse('192.0.2.77:77'), 2 as never)
    solo.check({}, elsewhere)
    expect(solo.agent.pairs().filter(({ remote }) => remote.address.equals(elsewhere))).toHaveLength(1)
    solo.addRemote(elsewhere, 'sx 1 udp 1694498815 HOST PORT typ srflx')
    expect(solo.agent.pairs().filter(({ remote }) => remote.address.equals(elsewhere))).toHaveLength(2)
  })
})

describe('an answer that shows us an address we did not know', () => {
  it('makes a local peer-reflexive candidate with the PRIORITY of the check', () => {
    const solo = SoloIce.ready()
    solo.elapse(0)
    const [request] = solo.requests()
    solo.answer(request!, elsewhere)
    const [pair] = solo.agent.pairs()
    expect(pair?.local).toMatchObject({
      type: 'prflx',
      address: elsewhere,
      base: hostAddress,
      related: hostAddress,
      priority: decoded(request!).get('PRIORITY'),
    })
    expect(solo.agent.sendPath()?.destination).toEqual(peerAddress)
  })

  it('is the server-reflexive candidate if that was it', () => {
    const solo = SoloIce.ready()
    solo.agent.addLocalCandidate(
      { type: 'srflx', socket: solo.agent.pairs()[0]!.local.socket, address: elsewhere, base: hostAddress },
      solo.now,
    )
    solo.elapse(0)
    solo.answer(solo.requests()[0]!, elsewhere)
    expect(solo.agent.pairs()[0]?.local.type).toBe('srflx')
    expect(solo.agent.pairs()).toHaveLength(1)
  })
})

it('a check of the peer after the session has failed brings it back', () => {
  const solo = inState.failed()
  expect(solo.agent.state).toBe('failed')
  solo.check({ nominate: true })
  expect(solo.agent.state).toBe('checking')
  solo.elapse(100)
  solo.answerAll()
  expect(solo.agent.state).toBe('completed')
})
