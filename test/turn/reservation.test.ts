/** EVEN-PORT and RESERVATION-TOKEN: RFC 8656 §7.2, §18.7, §18.10. */

import { describe, expect, it } from 'vitest'
import type { Attribute } from '../../src/stun/attributes.ts'
import { codeOf, relayAddress, type TurnClient, TurnHarness } from '../support/turn-harness.ts'

const udp: Attribute = ['REQUESTED-TRANSPORT', 17]
const even: Attribute = ['EVEN-PORT', { reserveNext: false }]
const pair: Attribute = ['EVEN-PORT', { reserveNext: true }]
const reserve = (token: Uint8Array): Attribute => ['RESERVATION-TOKEN', token]

function reservePair(client: TurnClient): { port: number; token: Uint8Array } {
  const answer = client.request('Allocate', [udp, pair])
  return {
    port: answer.get('XOR-RELAYED-ADDRESS')!.port,
    token: answer.get('RESERVATION-TOKEN')!.slice(),
  }
}

describe('EVEN-PORT with the R bit', () => {
  it('binds an even port and the next one, and gives a token of 8 bytes for that', () => {
    const harness = new TurnHarness()
    const { port, token } = reservePair(harness.client())
    expect(port % 2).toBe(0)
    expect(token.length).toBe(8)
    expect([...harness.relaySockets.values()].map((local) => local.port)).toEqual([port, port + 1])
    expect(harness.outputs.map(({ type }) => type)).toEqual([
      'bind-relay',
      'bind-relay',
      'allocation-created',
      'transmit',
    ])
  })

  it('gives the reserved port to the one who shows the token, on another five-tuple, with no bind', () => {
    const harness = new TurnHarness()
    const { port, token } = reservePair(harness.client())
    const second = harness.client()
    const answer = second.request('Allocate', [udp, reserve(token)])
    expect(answer.get('XOR-RELAYED-ADDRESS')?.port).toBe(port + 1)
    expect(answer.get('RESERVATION-TOKEN')).toBeUndefined()
    expect(harness.outputs.map(({ type }) => type)).toEqual(['allocation-created', 'transmit'])
  })

  it('gives it to any user: the token is server-wide', () => {
    const harness = new TurnHarness()
    const { port, token } = reservePair(harness.client())
    const answer = harness.client('bob', 'builder').request('Allocate', [udp, reserve(token)])
    expect(answer.get('XOR-RELAYED-ADDRESS')?.port).toBe(port + 1)
  })

  it('repeats the token to a retransmission, byte for byte', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    client.nonce = client.challenge()
    const bytes = client.encode('Allocate', [udp, pair])
    const first = client.exchange(bytes)!.bytes.slice()
    expect(client.exchange(bytes)!.bytes).toEqual(first)
    expect(harness.relaySockets.size).toBe(2)
  })

  it('takes a token once only', () => {
    const harness = new TurnHarness()
    const { token } = reservePair(harness.client())
    harness.client().allocate([reserve(token)])
    expect(codeOf(harness.client().request('Allocate', [udp, reserve(token)]))).toBe(508)
  })

  it('repeats the answer to a retransmission of the request that has redeemed the token', () => {
    const harness = new TurnHarness()
    const { token } = reservePair(harness.client())
    const client = harness.client()
    client.nonce = client.challenge()
    const bytes = client.encode('Allocate', [udp, reserve(token)])
    const first = client.exchange(bytes)!.bytes.slice()
    expect(client.exchange(bytes)!.bytes).toEqual(first)
  })

  it('holds the port for 30 seconds, also when the first allocation is gone, and then frees it', () => {
    const harness = new TurnHarness({ relayPorts: { min: 50_000, max: 50_001 } })
    const first = harness.client()
    const { token } = reservePair(first)
    first.request('Refresh', [['LIFETIME', 0]])
    harness.elapse(29)
    expect([...harness.relaySockets.values()].map(({ port }) => port)).toEqual([50_001])
    harness.takeOutputs()
    harness.elapse(1)
    expect(harness.outputs.map(({ type }) => type)).toEqual(['close-relay'])
    expect(codeOf(harness.client().request('Allocate', [udp, reserve(token)]))).toBe(508)
    expect(reservePair(harness.client()).port).toBe(50_000)
  })

  it('takes a token in the 30th second', () => {
    const harness = new TurnHarness()
    const { port, token } = reservePair(harness.client())
    harness.elapse(29.9)
    expect(harness.client().allocate([reserve(token)]).port).toBe(port + 1)
  })

  it('relays nothing through a reserved port before it is an allocation', () => {
    const harness = new TurnHarness()
    const { port } = reservePair(harness.client())
    const [socket] = [...harness.relaySockets].find(([, local]) => local.port === port + 1)!
    expect(harness.fromPeer(socket, relayAddress.withPort(9), Uint8Array.of(1))).toBeUndefined()
    expect(harness.server.counters.drops['no-allocation']).toBe(1)
  })

  it('draws another pair when the system has the first or the second port in use', () => {
    for (const inUse of [50_000, 50_001]) {
      const harness = new TurnHarness({ relayPorts: { min: 50_000, max: 50_003 } })
      const tried: number[] = []
      harness.bindPolicy = ({ port }) => {
        tried.push(port)
        return port === inUse ? 'EADDRINUSE' : undefined
      }
      // The draw is random: free and reserve until the pair with the port in use has been met.
      for (let i = 0; i < 20 && !tried.includes(inUse); i++) {
        const client = harness.client()
        expect(reservePair(client).port).toBe(50_002)
        client.request('Refresh', [['LIFETIME', 0]])
        harness.elapse(30)
      }
      expect(tried).toContain(inUse)
      expect(harness.relaySockets.size).toBe(0)
      harness.bindPolicy = () => undefined
      expect(Array.from({ length: 4 }, () => harness.client().allocate().port).sort()).toEqual([
        50_000, 50_001, 50_002, 50_003,
      ])
    }
  })

  it('answers 508 when no pair is left, though single ports are', () => {
    const harness = new TurnHarness({ relayPorts: { min: 50_001, max: 50_002 } })
    expect(codeOf(harness.client().request('Allocate', [udp, pair]))).toBe(508)
    harness.client().allocate([even])
    harness.client().allocate()
  })

  it('reserves IPv6 ports as well', () => {
    const harness = new TurnHarness()
    const answer = harness.client().request('Allocate', [udp, pair, ['REQUESTED-ADDRESS-FAMILY', 'IPv6']])
    const token = answer.get('RESERVATION-TOKEN')!.slice()
    const relayed = answer.get('XOR-RELAYED-ADDRESS')!
    expect(
      harness
        .client()
        .allocate([reserve(token)])
        .toString(),
    ).toBe(`${relayed.withPort(relayed.port + 1)}`)
  })

  it('ends reservations with the server', () => {
    const harness = new TurnHarness()
    reservePair(harness.client())
    harness.server.closeAll()
    harness.drain()
    expect(harness.relaySockets.size).toBe(0)
    expect(harness.server.pollTimeout()).toBeUndefined()
  })
})

describe('EVEN-PORT without the R bit', () => {
  it('reserves nothing: the next port stays free', () => {
    const harness = new TurnHarness({ relayPorts: { min: 50_000, max: 50_001 } })
    expect(harness.client().request('Allocate', [udp, even]).get('RESERVATION-TOKEN')).toBeUndefined()
    expect(harness.client().allocate().port).toBe(50_001)
  })
})

describe('RESERVATION-TOKEN', () => {
  const refusals: [string, Attribute[], number][] = [
    ['with EVEN-PORT', [even], 400],
    ['with REQUESTED-ADDRESS-FAMILY', [['REQUESTED-ADDRESS-FAMILY', 'IPv4']], 400],
    ['with ADDITIONAL-ADDRESS-FAMILY', [['ADDITIONAL-ADDRESS-FAMILY', 'IPv6']], 400],
    ['that is unknown', [], 508],
  ]
  it.each(refusals)('is refused %s', (_name, more, code) => {
    const client = new TurnHarness().client()
    const answer = client.request('Allocate', [udp, reserve(new Uint8Array(8)), ...more])
    expect(codeOf(answer)).toBe(code)
  })

  it('is still good after a request that was refused for its form', () => {
    const harness = new TurnHarness()
    const { token, port } = reservePair(harness.client())
    expect(codeOf(harness.client().request('Allocate', [udp, even, reserve(token)]))).toBe(400)
    expect(harness.client().allocate([reserve(token)]).port).toBe(port + 1)
  })

  it('is refused with 400 when it is not 8 bytes long', () => {
    const client = new TurnHarness().client()
    client.nonce = client.challenge()
    expect(codeOf(client.exchange(client.encodeRaw('Allocate', 0x0022, new Uint8Array(7))))).toBe(400)
  })
})

describe('the quota and reservations', () => {
  it('counts a reservation as an allocation, until it is redeemed or runs out', () => {
    const harness = new TurnHarness({ userQuota: 3 })
    const { token } = reservePair(harness.client())
    expect(codeOf(harness.client().request('Allocate', [udp, pair]))).toBe(486)
    harness.client().allocate()
    expect(codeOf(harness.client().request('Allocate', [udp]))).toBe(486)
    harness.client().allocate([reserve(token)])
    expect(codeOf(harness.client().request('Allocate', [udp]))).toBe(486)
  })

  it('frees it when the reservation runs out', () => {
    const harness = new TurnHarness({ userQuota: 2 })
    reservePair(harness.client())
    expect(codeOf(harness.client().request('Allocate', [udp]))).toBe(486)
    harness.elapse(30)
    harness.client().allocate()
  })

  it('counts for who redeems it from then on', () => {
    const harness = new TurnHarness({ userQuota: 2 })
    const { token } = reservePair(harness.client())
    const bob = () => harness.client('bob', 'builder')
    bob().allocate([reserve(token)])
    bob().allocate()
    expect(codeOf(bob().request('Allocate', [udp]))).toBe(486)
    harness.client().allocate()
  })

  it('refuses a token to a user who is at the quota, and keeps it good for others', () => {
    const harness = new TurnHarness({ userQuota: 2 })
    const { token, port } = reservePair(harness.client())
    const bob = () => harness.client('bob', 'builder')
    bob().allocate()
    bob().allocate()
    expect(codeOf(bob().request('Allocate', [udp, reserve(token)]))).toBe(486)
    expect(harness.client().allocate([reserve(token)]).port).toBe(port + 1)
  })

  it('gives back what a refused pair has held', () => {
    const harness = new TurnHarness({ userQuota: 2 })
    harness.bindPolicy = () => 'EMFILE'
    expect(codeOf(harness.client().request('Allocate', [udp, pair]))).toBe(508)
    harness.bindPolicy = () => undefined
    harness.client().allocate()
    harness.client().allocate()
  })
})
