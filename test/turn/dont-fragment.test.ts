/** DONT-FRAGMENT: RFC 8656 §7.2, §11.2, §13, §14, §15. */

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import {
  codeOf,
  listener,
  peer6,
  peerA,
  type TurnClient,
  TurnHarness,
  text,
} from '../support/turn-harness.ts'

const udp: Attribute = ['REQUESTED-TRANSPORT', 17]
const dontFragment: Attribute = ['DONT-FRAGMENT', true]
const able = { canSetDontFragment: true }

/** The `dontFragment` of the route that a Send indication with DONT-FRAGMENT takes; undefined if it takes none. */
function flagOf(
  client: TurnClient,
  peer: TransportAddress,
  attributes = [dontFragment],
): boolean | undefined {
  const sent = client.sendIndication(peer, text('data'), attributes)
  return sent?.dontFragment
}

describe('DONT-FRAGMENT where the driver cannot set the DF bit', () => {
  it('is an unknown attribute in Allocate: 420, which names it', () => {
    const answer = new TurnHarness().client().request('Allocate', [udp, dontFragment])
    expect(codeOf(answer)).toBe(420)
    expect(answer.get('UNKNOWN-ATTRIBUTES')).toEqual([0x001a])
  })

  it('has a Send indication discarded, also for the families where it would be ignored', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    client.request('Allocate', [udp, ['ADDITIONAL-ADDRESS-FAMILY', 'IPv6']])
    client.permit(peerA, peer6)
    for (const peer of [peerA, peer6]) expect(flagOf(client, peer)).toBeUndefined()
    expect(harness.server.counters.drops['bad-indication']).toBe(2)
    expect(flagOf(client, peerA, [])).toBe(false)
  })
})

describe('DONT-FRAGMENT where the driver can set the DF bit', () => {
  it('is accepted by Allocate', () => {
    expect(new TurnHarness(able).client().request('Allocate', [udp, dontFragment]).class).toBe('success')
  })

  it('is still unknown in the other requests', () => {
    const client = new TurnHarness(able).client()
    client.allocate()
    expect(codeOf(client.request('Refresh', [dontFragment]))).toBe(420)
  })

  it('goes with the packet from IPv4 client to IPv4 peer, and only with that packet', () => {
    const client = new TurnHarness(able).client()
    client.allocate()
    client.permit(peerA)
    expect(flagOf(client, peerA)).toBe(true)
    expect(flagOf(client, peerA, [])).toBe(false)
    client.bindChannel(0x4000, peerA)
    expect(client.sendChannelData(0x4000, text('data'))?.dontFragment).toBe(false)
  })

  it('is ignored where IP is translated, and between IPv6 and IPv6', () => {
    const harness = new TurnHarness(able)
    const ipv6Client = harness.client('alice', 'wonder', TransportAddress.of('2600::9', 4000))
    const ipv4Client = harness.client()
    for (const client of [ipv4Client, ipv6Client]) {
      client.request('Allocate', [udp, ['ADDITIONAL-ADDRESS-FAMILY', 'IPv6']])
      client.permit(peerA, peer6)
    }
    expect(flagOf(ipv4Client, peer6)).toBe(false)
    expect(flagOf(ipv6Client, peerA)).toBe(false)
    expect(flagOf(ipv6Client, peer6)).toBe(false)
  })

  it('is ignored on the short cut to another client of this server', () => {
    const harness = new TurnHarness(able)
    const [alice, bob] = [harness.client(), harness.client('bob', 'builder')]
    const [toAlice, toBob] = [alice.allocate(), bob.allocate()]
    alice.permit(toBob)
    bob.permit(toAlice)
    const sent = alice.sendIndication(toBob, text('data'), [dontFragment])
    expect(sent).toMatchObject({ socket: listener, destination: `${bob.address}`, dontFragment: false })
  })

  it('has a Send indication discarded when it has a value', () => {
    const harness = new TurnHarness(able)
    const client = harness.client()
    client.allocate()
    client.permit(peerA)
    // A Send indication of XOR-PEER-ADDRESS, DATA and a DONT-FRAGMENT of four bytes.
    const peer = [0, 0x12, 0, 8, 0, 1, ...xored(peerA)]
    const body = [...peer, 0, 0x13, 0, 0, 0, 0x1a, 0, 4, 0, 0, 0, 0]
    const bytes = Uint8Array.of(
      0,
      0x16,
      0,
      body.length,
      0x21,
      0x12,
      0xa4,
      0x42,
      ...new Uint8Array(12),
      ...body,
    )
    expect(client.raw(bytes)).toBeUndefined()
    expect(harness.server.counters.drops['bad-indication']).toBe(1)
  })
})

function xored({ d, port }: TransportAddress): number[] {
  const word = (d ^ 0x2112a442) >>> 0
  const high = port ^ 0x2112
  return [high >> 8, high & 255, word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]
}
