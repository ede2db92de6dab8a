/** Consent to send (RFC 7675), keepalives (RFC 8445 §11), and what silence means. */

import { describe, expect, it } from 'vitest'
import { IceHarness } from '../support/ice-harness.ts'
import { errorTo } from '../support/ice-messages.ts'
import { decoded, peerAddress, SoloIce } from '../support/ice-solo.ts'

/** Lets time pass while the peer answers everything. */
function live(solo: SoloIce, ms: number): void {
  for (let at = 0; at < ms; at += 100) {
    solo.elapse(100)
    for (const request of solo.requests()) solo.answer(request)
    solo.outputs = solo.outputs.filter(({ type }) => type !== 'transmit')
  }
}

describe('consent checks', () => {
  it('are 4 to 6 s apart, at random', () => {
    const net = new IceHarness().connected()
    net.run(600_000)
    const times = net.sent(net.a, 'consent').map(({ at }) => at)
    const gaps = times.slice(1).map((at, i) => at - times[i]!)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(4000)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(6000)
    expect(new Set(gaps.map(Math.round)).size).toBeGreaterThan(50)
  })

  it('are never closer than 4 s, whatever is asked for', () => {
    const net = new IceHarness({ consentIntervalMs: 100 }).connected()
    net.run(60_000)
    const times = net.sent(net.a, 'consent').map(({ at }) => at)
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(4000)
  })

  it('are sent once each, authenticated, with a transaction of their own', () => {
    const solo = SoloIce.connected()
    solo.elapse(20_000)
    const sent = solo.requests()
    expect(sent.every(({ purpose }) => purpose === 'consent')).toBe(true)
    expect(sent.every((request) => decoded(request).integrityOffset > 0)).toBe(true)
    expect(new Set(sent.map((request) => decoded(request).transactionId.join())).size).toBe(sent.length)
  })

  it('are not repeated where nothing comes back, nor sent sooner', () => {
    const net = new IceHarness().connected()
    net.lose = (packet) => packet.from === 'b'
    net.run(29_000)
    const times = net.sent(net.a, 'consent').map(({ at }) => at)
    expect(net.sent(net.a, 'retransmission')).toEqual([])
    expect(times.length).toBeGreaterThanOrEqual(4)
    for (let i = 1; i < times.length; i++) {
      expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(4000)
      expect(times[i]! - times[i - 1]!).toBeLessThanOrEqual(6000)
    }
  })

  it('repeat the nomination if we control, so that the peer follows to a new address of ours', () => {
    const controlling = SoloIce.connected()
    controlling.elapse(6000)
    expect(decoded(controlling.requests()[0]!).has('USE-CANDIDATE')).toBe(true)
    const controlled = SoloIce.connected({ role: 'controlled' })
    controlled.elapse(6000)
    expect(decoded(controlled.requests()[0]!).has('USE-CANDIDATE')).toBe(false)
  })

  it('renew consent when answered, be it the answer to an older one', () => {
    const solo = SoloIce.connected()
    solo.elapse(6000)
    const [first] = solo.requests()
    solo.elapse(20_000)
    solo.answer(first!)
    solo.elapse(29_000)
    expect(solo.agent.sendPath()).toBeDefined()
    solo.elapse(1000)
    expect(solo.agent.sendPath()).toBeUndefined()
  })
})

describe('consent that is not renewed', () => {
  it('ends after 30 s: no data after that, and the state says why', () => {
    const solo = SoloIce.connected()
    solo.elapse(29_999)
    expect(solo.agent.sendPath()).toBeDefined()
    solo.elapse(1)
    expect(solo.agent.sendPath()).toBeUndefined()
    expect(solo.agent.state).toBe('failed')
    expect(solo.events('state').map(({ state, reason }) => [state, reason])).toEqual([
      ['disconnected', 'nothing heard from 198.51.100.1:2000'],
      ['failed', 'consent expired'],
    ])
    expect(solo.events('path')).toEqual([
      { type: 'path', stream: 0, component: 1, path: undefined, reason: 'consent-expired' },
    ])
    expect(solo.agent.pairs()[0]).toMatchObject({ state: 'failed', failure: 'consent-expired' })
  })

  it('is not renewed by checks of the peer, nor by its data', () => {
    const solo = SoloIce.connected()
    for (let at = 0; at < 30_000; at += 1000) {
      solo.elapse(1000)
      solo.check()
      solo.handle(Uint8Array.of(128, 0, 0, 0))
    }
    expect(solo.agent.sendPath()).toBeUndefined()
  })

  it('does not come back by a late answer, nor by a check of the peer: that takes a restart', () => {
    const solo = SoloIce.connected()
    solo.elapse(6000)
    const [request] = solo.requests()
    solo.elapse(40_000)
    solo.takeOutputs()
    solo.answer(request!)
    solo.check({ nominate: true })
    solo.elapse(1000)
    expect(solo.requests()).toEqual([])
    expect(solo.agent.state).toBe('failed')
  })

  it('leaves no timer behind', () => {
    const solo = SoloIce.connected()
    solo.elapse(120_000)
    expect(solo.agent.pollTimeout()).toBeUndefined()
  })
})

describe('consent that is revoked by an authentic 403', () => {
  it('ends at once', () => {
    const solo = SoloIce.connected()
    solo.elapse(6000)
    solo.handle(errorTo(decoded(solo.requests()[0]!).transactionId, 403))
    expect(solo.agent.sendPath()).toBeUndefined()
    expect(solo.events('state').map(({ state, reason }) => [state, reason])).toEqual([
      ['failed', 'consent revoked'],
    ])
    expect(solo.agent.pairs()[0]?.failure).toBe('consent-revoked')
  })

  it('does not end by one that nobody has signed', () => {
    const solo = SoloIce.connected()
    solo.elapse(6000)
    solo.handle(errorTo(decoded(solo.requests()[0]!).transactionId, 403, null))
    expect(solo.agent.state).toBe('completed')
  })

  it('survives other errors', () => {
    const solo = SoloIce.connected()
    solo.elapse(6000)
    solo.handle(errorTo(decoded(solo.requests()[0]!).transactionId, 500))
    expect(solo.agent.state).toBe('completed')
  })
})

describe('a peer that falls silent', () => {
  it('makes the session disconnected after 7 s, and connected again when it is heard', () => {
    const solo = SoloIce.connected()
    live(solo, 20_000)
    expect(solo.agent.state).toBe('completed')
    const silent = solo.now
    while (solo.agent.state === 'completed') solo.elapse(10)
    expect(solo.now - silent).toBeLessThanOrEqual(7000)
    live(solo, 6000)
    expect(solo.agent.state).toBe('completed')
  })

  it('is not silent while its data comes', () => {
    const solo = SoloIce.connected()
    for (let at = 0; at < 25_000; at += 1000) {
      solo.elapse(1000)
      solo.handle(Uint8Array.of(128, 0, 0, 0))
    }
    expect(solo.events('state')).toEqual([])
  })

  it('is heard again by its data alone', () => {
    const solo = SoloIce.connected()
    solo.elapse(8000)
    expect(solo.agent.state).toBe('disconnected')
    solo.handle(Uint8Array.of(128, 0, 0, 0))
    expect(solo.agent.state).toBe('completed')
  })
})

describe('without consent checks', () => {
  it('indications keep the path open every 15 s, unsigned and with nothing but a fingerprint', () => {
    const solo = SoloIce.connected({ consent: false })
    solo.elapse(46_000)
    const sent = solo.events('transmit')
    expect(sent.map(({ purpose }) => purpose)).toEqual(['keepalive', 'keepalive', 'keepalive'])
    expect(decoded(sent[0]!).class).toBe('indication')
    expect(decoded(sent[0]!).types()).toEqual([0x8028])
    expect(sent[0]!.destination).toEqual(peerAddress)
  })

  it('nothing expires', () => {
    const solo = SoloIce.connected({ consent: false })
    solo.elapse(300_000)
    expect(solo.agent.state).toBe('completed')
  })
})

it('a peer that vanishes is sent no data after 30 s', () => {
  const net = new IceHarness().connected()
  const gone = net.now
  net.lose = (packet) => packet.from === 'b'
  let last = 0
  for (let ms = 0; ms < 60_000; ms += 100) {
    if (net.sendData(net.a, 'x')) last = net.now - gone
    net.run(100)
  }
  expect(last).toBeLessThanOrEqual(30_000)
  expect(net.a.agent.state).toBe('failed')
})
