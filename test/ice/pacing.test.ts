/** When checks are sent, and sent again (RFC 8445 §14, RFC 8489 §6.2.1). */

import { describe, expect, it } from 'vitest'
import { datagramOf, socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { Pacer } from '../../src/ice/pacer.ts'
import { decode, IceHarness } from '../support/ice-harness.ts'
import { checkOf } from '../support/ice-messages.ts'
import { host, peerAddress, SoloIce } from '../support/ice-solo.ts'

/** Sends nothing but records when checks go out, in milliseconds after the start. */
function checkTimes(solo: SoloIce, ms: number): number[] {
  const start = solo.now
  const times: number[] = []
  for (let at = 0; at <= ms; at++) {
    solo.elapse(at === 0 ? 0 : 1)
    times.push(...solo.requests().map(() => solo.now - start))
    solo.takeOutputs()
  }
  return times
}

function withRemotes(count: number, solo: SoloIce): SoloIce {
  for (let i = 1; i <= count; i++) {
    solo.addRemote(TransportAddress.of('198.51.100.1', 3000 + i), `${i} 1 udp ${1000 - i} HOST PORT typ host`)
  }
  return solo
}

describe('new checks', () => {
  const paced = (pacingMs: number | undefined, remotes = 4) => {
    const solo = new SoloIce()
    solo.addHost()
    solo.describe(pacingMs === undefined ? {} : { pacingMs })
    return withRemotes(remotes, solo)
  }

  it.each([
    ['50 ms where the peer proposes nothing', undefined, [0, 50, 100, 150]],
    ['the larger of the two proposals', 20, [0, 20, 40, 60]],
    ['5 ms at the least, whatever the peer says', 0, [0, 5, 10, 15]],
  ] as const)('are %s apart', (_name, pacing, expected) => {
    expect(checkTimes(paced(pacing), 200)).toEqual(expected)
  })

  it('go to the best pairs first', () => {
    const solo = paced(5)
    solo.elapse(100)
    expect(solo.requests().map(({ destination }) => destination.port)).toEqual([3001, 3002, 3003, 3004])
  })

  it('give way to triggered ones, first in, first out', () => {
    const solo = paced(undefined)
    solo.elapse(0)
    solo.takeOutputs()
    solo.check({}, peerAddress.withPort(3004))
    solo.check({}, peerAddress.withPort(3003))
    solo.elapse(150)
    expect(solo.requests().map(({ destination }) => destination.port)).toEqual([3004, 3003, 3002])
  })

  it('of agents that share a pacer are together at least 5 ms apart', () => {
    const pacer = new Pacer()
    const agents = [1, 2, 3].map(() => {
      const solo = new SoloIce({ pacer })
      solo.addHost()
      solo.describe({ pacingMs: 5 })
      return withRemotes(5, solo)
    })
    const times: number[] = []
    for (let ms = 0; ms < 100; ms++) {
      for (const solo of agents) {
        solo.elapse(ms === 0 ? 0 : 1)
        times.push(...solo.requests().map(() => ms))
        solo.takeOutputs()
      }
    }
    expect(times).toHaveLength(15)
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(5)
  })

  it('are Ta apart in a whole session, triggered ones too', () => {
    const net = new IceHarness({ pacingMs: 20 }, { pacingMs: 20 })
    for (const of of [net.a, net.b]) {
      for (let i = 1; i <= 5; i++) net.addHost(of, `10.${of === net.a ? 1 : 2}.0.${i}:1000`)
    }
    net.signalBoth()
    net.runUntil(() => net.isCompleted)
    for (const of of [net.a, net.b]) {
      const times = net.sent(of, 'check').map(({ at }) => at)
      for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(20)
    }
  })
})

describe('a check that is not answered', () => {
  it('is sent seven times, and fails after 39.5 s', () => {
    const solo = SoloIce.ready()
    expect(checkTimes(solo, 39_499)).toEqual([0, 500, 1500, 3500, 7500, 15_500, 31_500])
    expect(solo.agent.pairs()[0]?.state).toBe('in-progress')
    solo.elapse(1)
    expect(solo.agent.pairs()[0]).toMatchObject({ state: 'failed', failure: 'timeout' })
  })

  it('is the same message each time', () => {
    const solo = SoloIce.ready()
    solo.elapse(2000)
    const [first, ...others] = solo.requests()
    expect(others.map(({ bytes }) => bytes)).toEqual(others.map(() => first!.bytes))
    expect(others.map(({ purpose }) => purpose)).toEqual(['retransmission', 'retransmission'])
  })

  it('waits longer where more pairs are checked: one Ta for each', () => {
    const solo = new SoloIce()
    solo.addHost()
    solo.describe()
    withRemotes(20, solo)
    const times = checkTimes(solo, 1200)
    expect(times.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, i) => i * 50))
    expect(times[20]).toBe(1000)
  })

  it('gives no round-trip time when it is answered after a retransmission', () => {
    const solo = SoloIce.ready()
    solo.elapse(600)
    const [request] = solo.requests()
    solo.answer(request!)
    expect(solo.agent.pairs()[0]?.rttMs).toBeUndefined()
  })
})

it('handleTimeout never asks to be called again at once, and not often', () => {
  const net = new IceHarness().connected()
  const before = net.timeouts
  net.run(60_000)
  // Consent every 4 to 6 s on two sides, and the limit of silence, which each answer moves.
  expect(net.timeouts - before).toBeLessThan(80)
})

it('a flood of checks of the peer makes no flood of ours', () => {
  const solo = SoloIce.connected()
  for (let i = 0; i < 1000; i++) {
    solo.agent.handleDatagram(datagramOf(host, peerAddress, checkOf(solo.agent)), solo.now)
    solo.drain()
  }
  expect(solo.requests()).toEqual([])
  for (let i = 0; i < 100; i++) {
    const socket = socketId(1)
    solo.agent.handleDatagram(
      datagramOf(socket, peerAddress.withPort(4000 + i), checkOf(solo.agent)),
      solo.now,
    )
  }
  solo.drain()
  const sent = solo.requests().length
  expect(sent).toBeLessThanOrEqual(1)
  solo.elapse(1000)
  expect(solo.requests().filter(({ purpose }) => purpose === 'check').length).toBeLessThanOrEqual(21)
  expect(decode(solo.requests()[0]!).method).toBe('Binding')
})
