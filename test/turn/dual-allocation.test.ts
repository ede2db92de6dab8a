/** IPv6 and dual allocations: RFC 8656 §7.2, §8.1, §8.2, §18.11, §18.12. */

import { describe, expect, it } from 'vitest'
import type { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import {
  codeOf,
  peer6,
  peerA,
  relayAddress,
  relayAddress6,
  type TurnClient,
  TurnHarness,
  text,
} from '../support/turn-harness.ts'

const udp: Attribute = ['REQUESTED-TRANSPORT', 17]
const dual: Attribute = ['ADDITIONAL-ADDRESS-FAMILY', 'IPv6']
const onlyIPv4 = { relays: [{ address: relayAddress, external: relayAddress }] }
const onlyIPv6 = { relays: [{ address: relayAddress6, external: relayAddress6 }] }

function allocateDual(client: TurnClient): [TransportAddress, TransportAddress] {
  const answer = client.request('Allocate', [udp, dual])
  const [first, second, ...rest] = answer.all('XOR-RELAYED-ADDRESS')
  expect(rest).toEqual([])
  return [first!, second!]
}

describe('Allocate with ADDITIONAL-ADDRESS-FAMILY', () => {
  it('binds one relay socket of each family and tells both addresses in one answer', () => {
    const harness = new TurnHarness()
    const [ipv4, ipv6] = allocateDual(harness.client())
    expect([ipv4.ip, ipv6.ip]).toEqual([relayAddress.ip, relayAddress6.ip])
    expect(harness.outputs.map(({ type }) => type)).toEqual([
      'bind-relay',
      'bind-relay',
      'allocation-created',
      'transmit',
    ])
    const created = harness.outputs.find((output) => output.type === 'allocation-created')
    expect(created?.allocation.relayedAddresses.map(String)).toEqual([`${ipv4}`, `${ipv6}`])
    expect(harness.server.counters.allocations).toBe(1)
  })

  it('repeats both addresses to a retransmission', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    client.nonce = client.challenge()
    const bytes = client.encode('Allocate', [udp, dual])
    const first = client.exchange(bytes)!.bytes.slice()
    expect(client.exchange(bytes)!.bytes).toEqual(first)
    expect(harness.relaySockets.size).toBe(2)
  })

  it.each([
    ['IPv6', onlyIPv4, relayAddress.ip],
    ['IPv4', onlyIPv6, relayAddress6.ip],
  ] as const)('says by ADDRESS-ERROR-CODE 440 that it has no %s', (family, options, ip) => {
    const answer = new TurnHarness(options).client().request('Allocate', [udp, dual])
    expect(answer.all('XOR-RELAYED-ADDRESS').map((address) => address.ip)).toEqual([ip])
    expect(answer.get('ADDRESS-ERROR-CODE')).toEqual({ family, code: 440, reason: '' })
  })

  it.each(['IPv4', 'IPv6'] as const)(
    'says by ADDRESS-ERROR-CODE 508 that no %s port could be bound',
    (family) => {
      const harness = new TurnHarness()
      harness.bindPolicy = (address) => (address.family === family ? 'EMFILE' : undefined)
      const client = harness.client()
      client.nonce = client.challenge()
      const bytes = client.encode('Allocate', [udp, dual])
      const answer = client.exchange(bytes)!
      expect(answer.all('XOR-RELAYED-ADDRESS')).toHaveLength(1)
      expect(answer.get('ADDRESS-ERROR-CODE')).toEqual({ family, code: 508, reason: '' })
      expect(client.exchange(bytes)?.get('ADDRESS-ERROR-CODE')?.code).toBe(508)
      expect(harness.relaySockets.size).toBe(1)
    },
  )

  it('is understood under its draft number, and answered in kind', () => {
    const draft: Attribute = ['SSODA-ADDITIONAL-ADDRESS-FAMILY', 'IPv6']
    const both = new TurnHarness().client().request('Allocate', [udp, draft])
    expect(both.all('XOR-RELAYED-ADDRESS')).toHaveLength(2)
    const one = new TurnHarness(onlyIPv4).client().request('Allocate', [udp, draft])
    expect(one.get('SSODA-ADDRESS-ERROR-CODE')).toEqual({ family: 'IPv6', code: 440, reason: '' })
    expect(one.has('ADDRESS-ERROR-CODE')).toBe(false)
  })

  it('answers 508 when neither can be bound', () => {
    const harness = new TurnHarness()
    harness.bindPolicy = () => 'EMFILE'
    expect(codeOf(harness.client().request('Allocate', [udp, dual]))).toBe(508)
    expect(harness.relaySockets.size).toBe(0)
  })

  it('gives even ports of both families to who asks for them', () => {
    const answer = new TurnHarness()
      .client()
      .request('Allocate', [udp, dual, ['EVEN-PORT', { reserveNext: false }]])
    expect(answer.all('XOR-RELAYED-ADDRESS').map(({ port }) => port % 2)).toEqual([0, 0])
  })

  const refusals: [string, Attribute[]][] = [
    ['together with REQUESTED-ADDRESS-FAMILY', [dual, ['REQUESTED-ADDRESS-FAMILY', 'IPv6']]],
    ['of IPv4', [['ADDITIONAL-ADDRESS-FAMILY', 'IPv4']]],
    ['of a family that does not exist', [['ADDITIONAL-ADDRESS-FAMILY', 9]]],
    ['together with EVEN-PORT and its R bit', [dual, ['EVEN-PORT', { reserveNext: true }]]],
  ]
  it.each(refusals)('refuses it with 400 %s', (_name, attributes) => {
    expect(codeOf(new TurnHarness().client().request('Allocate', [udp, ...attributes]))).toBe(400)
  })

  it('counts as one allocation', () => {
    const harness = new TurnHarness({ userQuota: 1 })
    allocateDual(harness.client())
    expect(codeOf(harness.client().request('Allocate', [udp]))).toBe(486)
  })
})

describe('a dual allocation', () => {
  it('reaches peers of both families, each from its own address', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    const [ipv4, ipv6] = allocateDual(client)
    client.permit(peerA, peer6)
    client.bindChannel(0x4000, peerA)
    client.bindChannel(0x4001, peer6)
    expect(client.sendChannelData(0x4000, text('four'))).toMatchObject({
      socket: client.relaySocketAt(ipv4),
      destination: `${peerA}`,
    })
    expect(client.sendChannelData(0x4001, text('six'))).toMatchObject({
      socket: client.relaySocketAt(ipv6),
      destination: `${peer6}`,
    })
    expect(client.sendIndication(peer6, text('six'))?.socket).toBe(client.relaySocketAt(ipv6))
    expect(harness.fromPeer(client.relaySocketAt(ipv6), peer6, text('back'))?.bytes.slice(0, 2)).toEqual(
      Uint8Array.of(0x40, 0x01),
    )
  })

  it('has one space of channel numbers', () => {
    const client = new TurnHarness().client()
    allocateDual(client)
    client.bindChannel(0x4000, peerA)
    expect(codeOf(client.bindChannel(0x4000, peer6))).toBe(400)
  })

  it('is refreshed as a whole, or one family of it', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    const [, ipv6] = allocateDual(client)
    harness.elapse(500)
    client.request('Refresh', [['REQUESTED-ADDRESS-FAMILY', 'IPv6']])
    harness.elapse(100)
    expect([...harness.relaySockets.values()].map(String)).toEqual([`${ipv6}`])
    expect(harness.outputs.map(({ type }) => type)).toContain('close-relay')
    expect(harness.outputs.map(({ type }) => type)).not.toContain('allocation-ended')
    client.nonce = undefined
    expect(client.request('Refresh').get('LIFETIME')).toBe(600)
    harness.elapse(599)
    expect(harness.relaySockets.size).toBe(1)
    harness.elapse(1)
    expect(harness.relaySockets.size).toBe(0)
    expect(harness.outputs.at(-1)).toMatchObject({ type: 'allocation-ended', reason: 'expired' })
  })

  it('loses one family by Refresh, with its permissions and channels, and keeps the other whole', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    const [ipv4] = allocateDual(client)
    client.bindChannel(0x4000, peerA)
    client.bindChannel(0x4001, peer6)
    const answer = client.request('Refresh', [
      ['LIFETIME', 0],
      ['REQUESTED-ADDRESS-FAMILY', 'IPv6'],
    ])
    expect(answer.get('LIFETIME')).toBe(0)
    expect(harness.outputs.map(({ type }) => type)).toEqual(['close-relay', 'transmit'])
    expect(client.sendChannelData(0x4001, text('six'))).toBeUndefined()
    expect(client.sendIndication(peer6, text('six'))).toBeUndefined()
    expect(codeOf(client.permit(peer6))).toBe(443)
    expect(codeOf(client.bindChannel(0x4002, peer6))).toBe(443)
    expect(client.sendChannelData(0x4000, text('four'))?.socket).toBe(client.relaySocketAt(ipv4))
    expect(codeOf(client.request('Refresh', [['REQUESTED-ADDRESS-FAMILY', 'IPv6']]))).toBe(443)
  })

  it('ends with its second family', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    allocateDual(client)
    for (const family of ['IPv4', 'IPv6'] as const) {
      client.request('Refresh', [
        ['LIFETIME', 0],
        ['REQUESTED-ADDRESS-FAMILY', family],
      ])
    }
    expect(harness.outputs.map(({ type }) => type)).toEqual(['close-relay', 'allocation-ended', 'transmit'])
    expect(codeOf(client.request('Refresh'))).toBe(437)
    expect(harness.server.counters.allocations).toBe(0)
    client.allocate()
  })

  it('is deleted as a whole by a Refresh that names no family', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    allocateDual(client)
    client.request('Refresh', [['LIFETIME', 0]])
    expect(harness.outputs.map(({ type }) => type)).toEqual([
      'close-relay',
      'close-relay',
      'allocation-ended',
      'transmit',
    ])
  })

  it('installs all permissions of a request or none, across families', () => {
    const harness = new TurnHarness(onlyIPv4)
    const client = harness.client()
    client.allocate()
    expect(codeOf(client.permit(peerA, peer6))).toBe(443)
    expect(client.sendIndication(peerA, text('no'))).toBeUndefined()
  })
})

describe('a single allocation', () => {
  it.each([
    ['IPv4', peer6],
    ['IPv6', peerA],
  ] as const)('of %s refuses peers and Refresh of the other family with 443', (family, peer) => {
    const client = new TurnHarness().client()
    client.allocate([['REQUESTED-ADDRESS-FAMILY', family]])
    expect(codeOf(client.permit(peer))).toBe(443)
    expect(codeOf(client.bindChannel(0x4000, peer))).toBe(443)
    expect(client.sendIndication(peer, text('no'))).toBeUndefined()
    expect(codeOf(client.request('Refresh', [['REQUESTED-ADDRESS-FAMILY', peer.family]]))).toBe(443)
  })
})
