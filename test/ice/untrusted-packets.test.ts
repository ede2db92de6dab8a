/** What is not authentic, not fresh, or not from where it should be, changes nothing. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { datagramOf, socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { checkOf, emptySuccessTo, errorTo, newTransactionId, successTo } from '../support/ice-messages.ts'
import { decoded, host, hostAddress, peerAddress, SoloIce } from '../support/ice-solo.ts'

const attacker = TransportAddress.parse('203.0.113.66:666')

/** Agents in every stage that a packet can meet. */
const stages: [string, () => SoloIce][] = [
  ['nothing known of the peer', () => new SoloIce()],
  [
    'checking',
    () => {
      const solo = SoloIce.ready()
      solo.elapse(0)
      return solo
    },
  ],
  ['connected, controlling', () => SoloIce.connected()],
  ['connected, controlled', () => SoloIce.connected({ role: 'controlled' })],
  [
    'failed',
    () => {
      const solo = SoloIce.ready()
      solo.elapse(60_000)
      return solo
    },
  ],
]

describe.each(stages)('an agent: %s', (_name, make) => {
  it('is unmoved by checks that are not authentic', () => {
    const solo = make()
    const before = solo.snapshot()
    for (const source of [peerAddress, attacker]) {
      solo.handle(checkOf(solo.agent, { password: 'guessed', nominate: true }), source)
      solo.handle(
        checkOf(solo.agent, { without: ['integrity'], nominate: true, role: solo.agent.role }),
        source,
      )
      solo.handle(checkOf(solo.agent, { username: 'not:us' }), source)
    }
    expect(solo.snapshot()).toBe(before)
  })

  it('is unmoved by responses to what it has not asked', () => {
    const solo = make()
    const before = solo.snapshot()
    solo.handle(successTo(newTransactionId(), attacker))
    solo.handle(errorTo(newTransactionId(), 487))
    solo.handle(errorTo(newTransactionId(), 403))
    expect(solo.snapshot()).toBe(before)
  })

  it('gives no data of an address that was never validated to the application', () => {
    const solo = make()
    expect(solo.handle(Uint8Array.of(128, 1, 2, 3), attacker)).toBe('dropped')
  })

  it('is unmoved by any bytes that no peer has signed', () => {
    const solo = make()
    const before = solo.snapshot()
    const template = checkOf(solo.agent)
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.nat(template.length - 1), fc.integer({ min: 1, max: 255 }))
        .map(([at, flip]) => template.map((byte, i) => (i === at ? byte ^ flip : byte))),
      fc.nat(template.length - 1).map((length) => template.subarray(0, length)),
    )
    fc.assert(
      fc.property(noise, fc.integer({ min: 0, max: 3 }), (bytes, socket) => {
        const datagram = datagramOf(socketId(socket), attacker, bytes)
        expect(solo.agent.handleDatagram(datagram, solo.now)).not.toBe('data')
        solo.drain()
      }),
      { numRuns: 300 },
    )
    expect(solo.snapshot()).toBe(before)
  })
})

describe('a response to a check', () => {
  const asked = () => {
    const solo = SoloIce.ready()
    solo.elapse(0)
    return { solo, request: solo.requests()[0]! }
  }

  it.each([
    ['success', (id: Uint8Array) => successTo(id, hostAddress, 'wrong password')],
    ['role conflict', (id: Uint8Array) => errorTo(id, 487, 'wrong password')],
    ['role conflict without integrity', (id: Uint8Array) => errorTo(id, 487, null)],
    ['refusal without integrity', (id: Uint8Array) => errorTo(id, 400, null)],
  ])('that is not signed by the peer changes nothing: %s', (_name, make) => {
    const { solo, request } = asked()
    const role = solo.agent.role
    expect(solo.handle(make(decoded(request).transactionId))).toBe('dropped')
    expect(solo.agent.role).toBe(role)
    expect(solo.agent.pairs()[0]?.state).toBe('in-progress')
    expect(solo.answer(request)).toBe('stun')
    expect(solo.agent.state).toBe('connected')
  })

  it('counts once', () => {
    const { solo, request } = asked()
    solo.answer(request)
    solo.elapse(40)
    const before = solo.snapshot()
    expect(solo.answer(request)).toBe('dropped')
    expect(solo.snapshot()).toBe(before)
    expect(solo.agent.stats(solo.now).pairs[0]?.responsesReceived).toBe(1)
  })

  it('from another address fails the pair, for the path is not symmetric (RFC 8445 §7.2.5.2.1)', () => {
    const { solo, request } = asked()
    solo.answer(request, hostAddress, attacker)
    expect(solo.agent.pairs()[0]).toMatchObject({ state: 'failed', failure: 'non-symmetric-response' })
  })

  it('at another socket fails the pair too', () => {
    const { solo, request } = asked()
    solo.addHost(TransportAddress.parse('192.0.2.7:7'), socketId(2))
    solo.handle(successTo(decoded(request).transactionId, hostAddress), peerAddress, socketId(2))
    expect(solo.agent.pairs()[0]).toMatchObject({ state: 'failed', failure: 'non-symmetric-response' })
  })

  it('that is a success without an address is no answer', () => {
    const { solo, request } = asked()
    expect(solo.handle(emptySuccessTo(decoded(request).transactionId))).toBe('dropped')
    expect(solo.agent.pairs()[0]?.state).toBe('in-progress')
  })
})

describe('a request that arrives twice', () => {
  it('is answered twice and triggers one check', () => {
    const solo = SoloIce.ready()
    solo.elapse(0)
    solo.takeOutputs()
    const bytes = checkOf(solo.agent)
    solo.handle(bytes)
    solo.handle(bytes)
    solo.elapse(400)
    expect(solo.events('transmit').filter(({ purpose }) => purpose === 'response')).toHaveLength(2)
    expect(solo.events('transmit').filter(({ purpose }) => purpose === 'check')).toHaveLength(1)
  })
})

it('a keepalive indication, which nobody signs, is taken and says nothing', () => {
  const solo = SoloIce.connected()
  const before = solo.snapshot()
  const indication = checkOf(solo.agent, { without: ['integrity', 'USERNAME', 'PRIORITY', 'role'] })
  indication[1] = 0x11
  solo.handle(indication, peerAddress, host)
  expect(solo.snapshot()).toBe(before)
})
