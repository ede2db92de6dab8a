/** The link between two partners: who is there, and what is answered for whom (ADR 14). */

import { describe, expect, it } from 'vitest'
import { encodePartnerDatagram, type PartnerHeader } from '../../../src/turn/partner/datagram.ts'
import { freshMs, silenceMs } from '../../../src/turn/partner/link.ts'
import { ReplayWindow, replayWindow } from '../../../src/turn/partner/replay-window.ts'
import {
  addressesOf,
  key,
  type OnWire,
  otherKey,
  PartnerPair,
  ports,
  request,
} from '../../support/partner-pair.ts'
import { seededRandom } from '../../support/random.ts'

const isRequest = ({ type }: OnWire) => type === 'request'

/** A pair that has just carried one request, and the datagram that it went in. */
function afterRequest(): { pair: PartnerPair; sent: OnWire } {
  const pair = new PartnerPair().connect()
  expect(pair.forward('a', request)).toBe(true)
  expect(pair.events.b).toEqual([{ type: 'answer', request }])
  pair.events.b.length = 0
  return { pair, sent: pair.wire.findLast(isRequest)! }
}

describe('two partners', () => {
  it('find each other within two seconds, and tell where the other is', () => {
    const pair = new PartnerPair()
    pair.elapse(2)
    expect(pair.events).toEqual({
      a: [{ type: 'up', partner: addressesOf.b }],
      b: [{ type: 'up', partner: addressesOf.a }],
    })
  })

  it('have requests answered by the other', () => {
    const { pair, sent } = afterRequest()
    expect(sent).toMatchObject({ from: 'a', lane: 0 })
    expect(pair.links.a.counters.forwarded).toBe(1)
    expect(pair.links.b.counters).toMatchObject({ answered: 1 })
    pair.forward('b', { ...request, askedPort: 1 })
    expect(pair.events.a).toEqual([{ type: 'answer', request: { ...request, askedPort: 1 } }])
  })

  it('stay there for ten minutes, with one packet in five lost each way', () => {
    const pair = new PartnerPair(3)
    const random = seededRandom(11)
    pair.carry = ({ bytes }) => (random.below(5) === 0 ? undefined : bytes)
    pair.elapse(5)
    pair.connect().elapse(600)
    expect(pair.events).toEqual({ a: [], b: [] })
  })

  it.each([0, 1])('are no pair while port %i does not reach', (lane) => {
    const pair = new PartnerPair()
    pair.carry = (packet) => (packet.lane === lane ? undefined : packet.bytes)
    pair.elapse(10)
    expect(pair.events).toEqual({ a: [], b: [] })
    expect(pair.forward('a', request)).toBe(false)
  })

  it('are no pair while one of them hears nothing', () => {
    const pair = new PartnerPair()
    pair.carry = (packet) => (packet.from === 'a' ? undefined : packet.bytes)
    pair.elapse(10)
    expect(pair.events).toEqual({ a: [], b: [] })
  })

  it('notice within seconds that the other is gone, and forward nothing then', () => {
    const pair = new PartnerPair().connect()
    pair.stop('b')
    pair.elapse((silenceMs + 1000) / 1000)
    expect(pair.events.a).toEqual([{ type: 'down' }])
    const before = pair.wire.length
    expect(pair.forward('a', request)).toBe(false)
    expect(pair.wire.length).toBe(before)
    pair.elapse(60)
    expect(pair.events.a).toEqual([{ type: 'down' }])
  })

  it('are a pair again when the other has started anew', () => {
    const pair = new PartnerPair().connect()
    pair.restart('b')
    pair.elapse(3)
    expect(pair.events.a).toEqual([{ type: 'down' }, { type: 'up', partner: addressesOf.b }])
    pair.forward('a', request)
    expect(pair.events.b.at(-1)).toEqual({ type: 'answer', request })
  })

  it('need no clocks that agree', () => {
    const pair = new PartnerPair(1, 1e9).connect()
    expect(pair.forward('a', request) && pair.forward('b', request)).toBe(true)
    const answer = { type: 'answer', request }
    expect(pair.events).toEqual({ a: [answer], b: [answer] })
    pair.stop('a')
    pair.elapse((silenceMs + 1000) / 1000)
    expect(pair.events.b).toEqual([answer, { type: 'down' }])
  })
})

describe('a datagram that is not the partner’s', () => {
  it('is dropped when it is signed with another key', () => {
    const pair = new PartnerPair().connect()
    pair.restart('a', addressesOf.a, [otherKey])
    pair.elapse(10)
    expect(pair.events.b).toEqual([{ type: 'down' }])
    expect(pair.links.a.isUp).toBe(false)
    expect(pair.links.b.counters.drops.forged).toBeGreaterThan(10)
  })

  it('is dropped when it is sent back to who has sent it', () => {
    const { pair, sent } = afterRequest()
    pair.inject('a', sent.bytes, sent.lane)
    expect(pair.links.a.counters.drops.reflected).toBe(1)
    expect(pair.events.a.filter(({ type }) => type === 'answer')).toEqual([])
  })

  it('is dropped when it has our own address in it, whatever its run', () => {
    const pair = new PartnerPair().connect()
    pair.restart('b', addressesOf.a)
    pair.elapse(10)
    expect(pair.events.a).toEqual([
      { type: 'mismatch', what: 'own-address', partner: addressesOf.a[0] },
      { type: 'down' },
    ])
  })

  it('is dropped when it comes by the other port than it says', () => {
    const { pair } = afterRequest()
    pair.carry = ({ type, bytes }) => (type === 'request' ? undefined : bytes)
    pair.forward('a', request)
    pair.inject('b', pair.wire.findLast(isRequest)!.bytes, 1)
    expect(pair.events.b).toEqual([])
    expect(pair.links.b.counters.drops.forged).toBe(1)
  })

  it.each([
    ['ports', ports('198.51.100.2', 3478, 5000)],
    ['ports', ports('198.51.100.2', 4000)],
    ['family', ports('2001:db8::2')],
  ] as const)('makes no pair with other %s, and that is told once', (what, addresses) => {
    const pair = new PartnerPair()
    pair.restart('b', addresses)
    pair.elapse(20)
    expect(pair.events.a).toEqual([{ type: 'mismatch', what, partner: addresses[0] }])
  })

  it('changes nothing, whatever the bytes', () => {
    const pair = new PartnerPair().connect()
    const random = seededRandom(5)
    const before = pair.wire.length
    for (let round = 0; round < 20_000; round++) {
      const known = pair.wire[random.below(before)]!.bytes
      const bytes = round % 2 === 0 ? random.bytes(random.below(200)) : known.slice()
      for (let bits = 1 + random.below(4); round % 2 === 1 && bits > 0; bits--) {
        bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
      }
      pair.inject('b', bytes.subarray(0, bytes.length - random.below(2)), random.below(2))
    }
    expect(pair.events.b).toEqual([])
    expect(pair.links.b.counters.answered).toBe(0)
    expect(pair.forward('a', request)).toBe(true)
    expect(pair.events.b).toEqual([{ type: 'answer', request }])
  })
})

describe('a request that comes again', () => {
  it('is not answered twice', () => {
    const { pair, sent } = afterRequest()
    pair.inject('b', sent.bytes)
    expect(pair.events.b).toEqual([])
    expect(pair.links.b.counters.drops.replayed).toBe(1)
  })

  it('is not answered when it comes for the first time, but late', () => {
    const pair = new PartnerPair().connect()
    pair.carry = (packet) => (isRequest(packet) ? undefined : packet.bytes)
    pair.forward('a', request)
    const kept = pair.wire.findLast(isRequest)!.bytes
    pair.elapse((freshMs + 1000) / 1000)
    pair.inject('b', kept)
    expect(pair.events.b).toEqual([])
    expect(pair.links.b.counters.drops.stale).toBe(1)
  })

  it('is answered when the network has had it wait for a second', () => {
    const pair = new PartnerPair().connect()
    pair.carry = (packet) => (isRequest(packet) ? undefined : packet.bytes)
    pair.forward('a', request)
    const kept = pair.wire.findLast(isRequest)!.bytes
    pair.elapse(1)
    pair.inject('b', kept)
    expect(pair.events.b).toEqual([{ type: 'answer', request }])
  })

  it.each(['a', 'b'] as const)('is not answered after %s has started anew', (end) => {
    const { pair, sent } = afterRequest()
    pair.restart(end)
    for (let tenths = 0; tenths < 50; tenths++) {
      pair.elapse(0.1)
      pair.inject('b', sent.bytes)
    }
    expect(pair.events.b.filter(({ type }) => type === 'answer')).toEqual([])
    expect(pair.links.b.isUp).toBe(true)
  })

  it('is not answered for who has kept all of an earlier run and plays it again', () => {
    const { pair } = afterRequest()
    const old = pair.wire.filter(({ from }) => from === 'a')
    pair.restart('a')
    pair.elapse(3)
    pair.events.b.length = 0
    for (const { lane, bytes } of old) pair.inject('b', bytes, lane)
    expect(pair.events.b).toEqual([])
    expect(pair.links.b.counters.answered).toBe(1)
    expect(pair.forward('a', request)).toBe(true)
    expect(pair.events.b).toEqual([{ type: 'answer', request }])
  })

  it('does not bring back an earlier run by echoes that were kept back', () => {
    const pair = new PartnerPair().connect()
    const kept: OnWire[] = []
    pair.carry = (packet) => {
      if (packet.from === 'b') return packet.bytes
      kept.push(packet)
      return undefined
    }
    pair.elapse(1)
    pair.carry = ({ bytes }) => bytes
    pair.restart('a')
    pair.elapse(1.5)
    pair.events.b.length = 0
    for (const { lane, bytes } of kept) pair.inject('b', bytes, lane)
    expect(pair.events.b).toEqual([])
    pair.elapse(3)
    expect(pair.events.b.filter(({ type }) => type === 'down')).toEqual([])
    expect(pair.links.b.isUp).toBe(true)
  })

  it('gets no more than ten pongs a second for pings of a run that is over', () => {
    const pair = new PartnerPair().connect()
    const old = pair.wire.filter(({ from, type }) => from === 'a' && type === 'heartbeat')
    pair.restart('a')
    pair.elapse(3)
    const before = pair.wire.length
    for (let round = 0; round < 100; round++) for (const { lane, bytes } of old) pair.inject('b', bytes, lane)
    expect(pair.wire.length - before).toBeLessThanOrEqual(10)
  })

  it('does not turn an old number of the partner’s pings into ours', () => {
    const pair = new PartnerPair().connect()
    const old = pair.wire.filter(({ from, type }) => from === 'b' && type === 'heartbeat')
    pair.elapse(10)
    for (const { lane, bytes } of old) pair.inject('a', bytes, lane)
    pair.forward('a', request)
    expect(pair.events.b).toEqual([{ type: 'answer', request }])
  })
})

describe('a request of a stranger that has the key', () => {
  it('is not answered before a pong has proved his run', () => {
    const pair = new PartnerPair().connect()
    const header: PartnerHeader = {
      ...{ lane: 0, hears: true, counter: 1, addresses: addressesOf.a },
      ...{ epoch: new Uint8Array(8).fill(7), nonce: new Uint8Array(8) },
    }
    pair.inject('b', encodePartnerDatagram({ type: 'request', request, ...header }, key))
    expect(pair.events.b).toEqual([])
    expect(pair.links.b.counters.drops.stranger).toBe(1)
  })
})

describe('another key', () => {
  it('is brought in without a break: accepted first, then used', () => {
    const pair = new PartnerPair().connect()
    for (const keys of [[key, otherKey], [otherKey, key], [otherKey]]) {
      for (const end of ['a', 'b'] as const) {
        pair.links[end].setKeys(keys)
        pair.elapse(10)
      }
    }
    expect(pair.events).toEqual({ a: [], b: [] })
    expect(pair.forward('a', request)).toBe(true)
    expect(pair.events.b).toEqual([{ type: 'answer', request }])
  })
})

describe('the replay window', () => {
  it('takes each number once, in any order within its width', () => {
    const window = new ReplayWindow()
    const random = seededRandom(2)
    const numbers = Array.from({ length: replayWindow }, (_, i) => i + 1)
    for (let i = numbers.length - 1; i > 0; i--) {
      const j = random.below(i + 1)
      const swapped = numbers[i]!
      numbers[i] = numbers[j]!
      numbers[j] = swapped
    }
    expect(numbers.filter((number) => window.admit(number)).length).toBe(replayWindow)
    expect(numbers.filter((number) => window.admit(number))).toEqual([])
  })

  it('takes none that is further behind', () => {
    const window = new ReplayWindow()
    expect(window.admit(5000)).toBe(true)
    expect(window.admit(5000 - replayWindow)).toBe(false)
    expect(window.admit(5000 - replayWindow + 1)).toBe(true)
    expect(window.admit(2 ** 40)).toBe(true)
    expect(window.admit(5001)).toBe(false)
  })
})
