/** W3C's statistics (webrtc-stats: RTCIceCandidatePairStats, RTCIceCandidateStats). */

import { describe, expect, it } from 'vitest'
import { IceHarness } from '../support/ice-harness.ts'
import { SoloIce } from '../support/ice-solo.ts'

/** What Chromium reports of a pair. */
const w3cKeys = [
  'bytesDiscardedOnSend',
  'bytesReceived',
  'bytesSent',
  'consentRequestsSent',
  'currentRoundTripTime',
  'lastPacketReceivedTimestamp',
  'lastPacketSentTimestamp',
  'localCandidateId',
  'nominated',
  'packetsDiscardedOnSend',
  'packetsReceived',
  'packetsSent',
  'priority',
  'remoteCandidateId',
  'requestsReceived',
  'requestsSent',
  'responsesReceived',
  'responsesSent',
  'state',
  'totalRoundTripTime',
  'transportId',
  'writable',
]

describe('the statistics of a pair', () => {
  it('have every key that Chromium has, and the reason of a failure', () => {
    const [pair] = SoloIce.ready().agent.stats(SoloIce.ready().now).pairs
    expect(Object.keys(pair!)).toEqual(expect.arrayContaining([...w3cKeys, 'failure', 'retransmissionsSent']))
  })

  it('count checks, answers, consent and data', () => {
    const net = new IceHarness().connected()
    net.sendData(net.a, 'four')
    net.sendData(net.a, 'more')
    net.run(100)
    const [a] = net.a.agent.stats(net.now).pairs
    const [b] = net.b.agent.stats(net.now).pairs
    expect(a).toMatchObject({
      state: 'succeeded',
      nominated: true,
      writable: true,
      packetsSent: 2,
      bytesSent: 8,
      currentRoundTripTime: 0.05,
    })
    expect(b).toMatchObject({ packetsReceived: 2, bytesReceived: 8 })
    expect(a!.requestsSent).toBe(a!.responsesReceived)
    expect(a!.requestsReceived).toBe(a!.responsesSent)
    expect(a!.requestsSent).toBe(b!.requestsReceived)
    expect(a!.totalRoundTripTime).toBeCloseTo(0.05 * a!.responsesReceived)
    net.run(30_000)
    expect(net.a.agent.stats(net.now).pairs[0]!.consentRequestsSent).toBeGreaterThanOrEqual(5)
  })

  it('count what could not be sent', () => {
    const solo = SoloIce.connected()
    solo.agent.sendPath()!.countDiscarded(100)
    expect(solo.agent.stats(solo.now).pairs[0]).toMatchObject({
      packetsDiscardedOnSend: 1,
      bytesDiscardedOnSend: 100,
    })
  })

  it('name candidates that are in the list', () => {
    const net = new IceHarness({}, {}, { natA: { mapping: 'EIM', filtering: 'APDF' } }).connected()
    const { pairs, candidates } = net.a.agent.stats(net.now)
    const ids = candidates.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const pair of pairs)
      expect(ids).toEqual(expect.arrayContaining([pair.localCandidateId, pair.remoteCandidateId]))
    expect(candidates.find(({ candidateType }) => candidateType === 'srflx')).toMatchObject({
      address: '192.0.2.1',
      relatedAddress: '10.0.0.1',
      usernameFragment: net.a.agent.localDescription.ufrag,
    })
  })

  it('say when consent was lost', () => {
    const solo = SoloIce.connected()
    const lostAt = solo.now + 30_000
    solo.elapse(40_000)
    expect(solo.agent.stats(solo.now).pairs[0]).toMatchObject({
      consentExpiredTimestamp: lostAt,
      writable: false,
      failure: 'consent-expired',
    })
  })
})
