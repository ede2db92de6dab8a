/** Two clients of one server, and what of this host a client can reach: nothing but the other client. */

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import type { TurnServerOptions } from '../../src/turn/options.ts'
import { PeerPolicy, parseAddressRange } from '../../src/turn/peer-policy.ts'
import {
  codeOf,
  listener,
  listening,
  relayAddress,
  type TurnClient,
  TurnHarness,
  text,
} from '../support/turn-harness.ts'

function neighbours(options: Partial<TurnServerOptions> = {}) {
  const harness = new TurnHarness(options)
  const [alice, bob] = [harness.client(), harness.client('bob', 'builder')]
  const [atAlice, atBob] = [alice.allocate(), bob.allocate()]
  return { harness, alice, bob, atAlice, atBob }
}

describe('two clients of one server', () => {
  it('reach each other at their relayed addresses by one route, from client to client', () => {
    const { alice, bob, atAlice, atBob } = neighbours()
    expect(alice.bindChannel(0x4000, atBob).class).toBe('success')
    expect(bob.bindChannel(0x4aaa, atAlice).class).toBe('success')
    expect(alice.sendChannelData(0x4000, text('hello'))).toMatchObject({
      socket: listener,
      destination: `${bob.address}`,
      bytes: Uint8Array.of(0x4a, 0xaa, 0, 5, ...text('hello')),
    })
  })

  it('see each other\u2019s relayed address as the sender', () => {
    const { alice, bob, atAlice, atBob } = neighbours()
    alice.permit(atBob)
    bob.permit(atAlice)
    const sent = alice.sendIndication(atBob, text('hello'))
    expect(sent?.destination).toBe(`${bob.address}`)
    const message = decodeMessage(sent!.bytes)
    if (typeof message === 'string') throw new Error(message)
    expect(message.get('XOR-PEER-ADDRESS')).toEqual(atAlice)
    expect(message.get('DATA')).toEqual(text('hello'))
  })

  it('need a permission each, one for the other', () => {
    const { harness, alice, bob, atAlice, atBob } = neighbours()
    expect(alice.sendIndication(atBob, text('x'))).toBeUndefined()
    alice.permit(atBob)
    expect(alice.sendIndication(atBob, text('x'))).toBeUndefined()
    bob.permit(atAlice)
    expect(alice.sendIndication(atBob, text('x'))).toBeDefined()
    harness.elapse(300)
    alice.permit(atBob)
    expect(alice.sendIndication(atBob, text('x'))).toBeUndefined()
  })

  it('reach nobody when the other one is gone', () => {
    const { harness, alice, bob, atAlice, atBob } = neighbours()
    alice.bindChannel(0x4000, atBob)
    bob.permit(atAlice)
    bob.request('Refresh', [['LIFETIME', 0]])
    expect(alice.sendChannelData(0x4000, text('x'))).toBeUndefined()
    expect(harness.server.counters.drops['peer-forbidden']).toBe(1)
  })

  it('may be one: a client reaches itself', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    const relayed = client.allocate()
    client.bindChannel(0x4000, relayed)
    expect(client.sendChannelData(0x4000, text('echo'))).toMatchObject({ destination: `${client.address}` })
  })

  const behindNat: Partial<TurnServerOptions> = {
    relays: [
      { address: TransportAddress.of('10.0.0.7', 0), external: TransportAddress.of('198.51.100.9', 0) },
    ],
  }
  it('behind a 1:1 NAT reach each other at the external address, without the NAT having to hairpin', () => {
    const { alice, bob, atAlice, atBob } = neighbours(behindNat)
    expect(atBob.ip).toBe('198.51.100.9')
    alice.bindChannel(0x4000, atBob)
    bob.bindChannel(0x4000, atAlice)
    expect(alice.sendChannelData(0x4000, text('x'))).toMatchObject({
      socket: listener,
      destination: `${bob.address}`,
    })
  })

  it('behind a 1:1 NAT reach nothing else at the private address', () => {
    const { harness, alice } = neighbours(behindNat)
    const host = TransportAddress.parse('10.0.0.7:50001')
    expect(codeOf(alice.bindChannel(0x4000, host.withPort(22)))).toBe(403)
    alice.permit(host)
    for (let port = 50_000; port < 51_000; port++) {
      const sent = alice.sendIndication(host.withPort(port), text('x'))
      if (sent !== undefined) throw new Error(`port ${port} was reached`)
    }
    expect(harness.relaySockets.size).toBe(2)
  })
})

describe('this host', () => {
  /** Control and data: whether a client can send to that address, by each of the two ways. */
  function reaches(client: TurnClient, peer: TransportAddress): [boolean, boolean] {
    const byChannel =
      client.bindChannel(0x4000, peer).class === 'success' &&
      client.sendChannelData(0x4000, text('x')) !== undefined
    client.permit(peer)
    return [byChannel, client.sendIndication(peer, text('x')) !== undefined]
  }

  it('is not reached at its listening port: 403 for a channel, silence for Send', () => {
    const { alice } = neighbours()
    expect(codeOf(alice.bindChannel(0x4000, listening))).toBe(403)
    expect(reaches(alice, listening)).toEqual([false, false])
  })

  it('is not reached at any port outside of the relay range, nor at one inside that nobody has', () => {
    const { alice } = neighbours()
    for (const port of [1, 22, 80, 3479, 9090, 49_999, 51_000, 65_535]) {
      const client = alice.harness.client()
      client.allocate()
      expect(reaches(client, relayAddress.withPort(port)), `port ${port}`).toEqual([false, false])
    }
    expect(reaches(alice, relayAddress.withPort(50_777))).toEqual([false, false])
  })

  it('is reached where the operator has allowed its address by name, but for its listening ports', () => {
    const policy = new PeerPolicy({ allow: [parseAddressRange(relayAddress.ip)], deny: [] })
    const { alice } = neighbours({ peerPolicy: policy })
    expect(reaches(alice, relayAddress.withPort(8080))).toEqual([true, true])
    const other = alice.harness.client()
    other.allocate()
    expect(reaches(other, listening)).toEqual([false, false])
  })

  it('learns of listeners as they are opened, on every address of its own', () => {
    const { harness, alice } = neighbours()
    const late = TransportAddress.parse('198.51.100.77:5349')
    expect(codeOf(alice.bindChannel(0x4001, late))).toBe(403)
    harness.server.addListener(listener, late)
    expect(reaches(alice, late)).toEqual([false, false])
  })
})
