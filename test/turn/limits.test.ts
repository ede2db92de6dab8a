import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { codeOf, peerA, peerB, TurnHarness } from '../support/turn-harness.ts'

const udp: Attribute = ['REQUESTED-TRANSPORT', 17]
const peer = (n: number) => TransportAddress.of(`8.8.${n >> 8}.${n & 255}`, 5000)
const pair: Attribute = ['EVEN-PORT', { reserveNext: true }]

describe('The total quota', () => {
  it('holds for all users together, and a place that is given back is free at once', () => {
    const harness = new TurnHarness({ totalQuota: 3 })
    const clients = [harness.client(), harness.client('bob', 'builder'), harness.client()]
    for (const client of clients) client.allocate()
    const late = harness.client('bob', 'builder')
    expect(codeOf(late.request('Allocate', [udp]))).toBe(486)
    clients[0]!.request('Refresh', [['LIFETIME', 0]])
    late.allocate()
  })

  it('counts reservations, and lets go of them', () => {
    const harness = new TurnHarness({ totalQuota: 2 })
    harness.client().allocate([pair])
    const late = harness.client('bob', 'builder')
    expect(codeOf(late.request('Allocate', [udp]))).toBe(486)
    harness.elapse(31)
    late.allocate()
  })

  it('is given back when allocations expire, and when no relay socket could be bound', () => {
    const harness = new TurnHarness({ totalQuota: 1 })
    harness.bindPolicy = () => 'EMFILE'
    expect(codeOf(harness.client().request('Allocate', [udp]))).toBe(508)
    harness.bindPolicy = () => undefined
    harness.client().allocate()
    harness.elapse(601)
    harness.client('bob', 'builder').allocate()
  })
})

describe('The quota of a user', () => {
  it('is one of the two that hold', () => {
    const harness = new TurnHarness({ userQuota: 2, totalQuota: 3 })
    harness.client().allocate()
    harness.client().allocate()
    expect(codeOf(harness.client().request('Allocate', [udp]))).toBe(486)
    harness.client('bob', 'builder').allocate()
    expect(codeOf(harness.client('bob', 'builder').request('Allocate', [udp]))).toBe(486)
  })

  it('is not there unless it is asked for', () => {
    const harness = new TurnHarness()
    for (let i = 0; i < 100; i++) harness.client().allocate()
  })
})

describe('The permissions of an allocation', () => {
  it('are as many as the limit says: one more is 508, and refreshing goes on', () => {
    const client = new TurnHarness({ maxPermissions: 3 }).client()
    client.allocate()
    expect(client.permit(peer(1), peer(2), peer(3)).class).toBe('success')
    expect(codeOf(client.permit(peer(4)))).toBe(508)
    expect(client.permit(peer(1), peer(2), peer(3)).class).toBe('success')
    expect(codeOf(client.permit(peer(1), peer(4)))).toBe(508)
    expect(codeOf(client.bindChannel(0x4000, peer(4)))).toBe(508)
    expect(client.bindChannel(0x4000, peer(1)).class).toBe('success')
  })

  it('are installed all or none when a request brings too many', () => {
    const harness = new TurnHarness({ maxPermissions: 3 })
    const client = harness.client()
    const socket = client.relaySocketAt(client.allocate())
    expect(codeOf(client.permit(peer(1), peer(2), peer(3), peer(4)))).toBe(508)
    expect(harness.fromPeer(socket, peer(1), Uint8Array.of(1))).toBeUndefined()
    // One address twice is one permission.
    expect(client.permit(peer(1), peer(1), peer(1).withPort(9), peer(2), peer(3)).class).toBe('success')
  })

  it('are 256 unless another number is asked for', () => {
    const client = new TurnHarness().client()
    client.allocate()
    for (let i = 0; i < 256; i++) expect(client.permit(peer(i)).class).toBe('success')
    expect(codeOf(client.permit(peer(256)))).toBe(508)
  })
})

describe('The channels of an allocation', () => {
  it('are as many as the limit says: one more is 508, and refreshing goes on', () => {
    const client = new TurnHarness({ maxChannels: 2 }).client()
    client.allocate()
    client.bindChannel(0x4000, peerA)
    client.bindChannel(0x4001, peerB)
    expect(codeOf(client.bindChannel(0x4002, peer(1)))).toBe(508)
    expect(client.bindChannel(0x4000, peerA).class).toBe('success')
  })

  it('are refreshed also when their permission has ended and others have taken all places', () => {
    const harness = new TurnHarness({ maxPermissions: 1, nonceLifetime: 3600 })
    const client = harness.client()
    client.allocate()
    client.bindChannel(0x4000, peerA)
    harness.elapse(301)
    expect(client.permit(peerB).class).toBe('success')
    expect(client.bindChannel(0x4000, peerA).class).toBe('success')
    expect(client.sendChannelData(0x4000, Uint8Array.of(1))?.destination).toBe(peerA.toString())
  })
})

describe('Lifetimes that the operator has chosen', () => {
  it.each([
    [undefined, 120],
    [60, 120],
    [200, 200],
    [4000, 900],
  ])('grant an allocation that asks for %s seconds %i', (asked, granted) => {
    const client = new TurnHarness({ defaultLifetime: 120, maxLifetime: 900 }).client()
    const attributes: Attribute[] = asked === undefined ? [] : [['LIFETIME', asked]]
    expect(client.request('Allocate', [udp, ...attributes]).get('LIFETIME')).toBe(granted)
    expect(client.request('Refresh', attributes).get('LIFETIME')).toBe(granted)
  })

  it('end a permission and a channel', () => {
    const harness = new TurnHarness({ permissionLifetime: 20, channelLifetime: 60 })
    const client = harness.client()
    const socket = client.relaySocketAt(client.allocate())
    client.bindChannel(0x4000, peerA)
    const arrives = () => harness.fromPeer(socket, peerA, Uint8Array.of(1)) !== undefined
    harness.elapse(19)
    expect(arrives()).toBe(true)
    harness.elapse(1)
    expect(arrives()).toBe(false)
    client.permit(peerA)
    harness.elapse(19)
    client.permit(peerA)
    harness.elapse(19)
    expect(client.sendChannelData(0x4000, Uint8Array.of(1))).toBeDefined()
    client.permit(peerA)
    harness.elapse(2)
    expect(client.sendChannelData(0x4000, Uint8Array.of(1))).toBeUndefined()
    expect(arrives()).toBe(true)
  })
})
