import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { defaultLimits } from '../../src/turn/options.ts'
import { codeOf, peer6, peerA, peerB, TurnHarness, text } from '../support/turn-harness.ts'

function allocated(options: ConstructorParameters<typeof TurnHarness>[0] = {}) {
  const harness = new TurnHarness(options)
  const client = harness.client()
  const socket = client.relaySocketAt(client.allocate())
  return { harness, client, socket }
}

describe('a permission', () => {
  it('is for an IP address, whatever the port, in both directions', () => {
    const { harness, client, socket } = allocated()
    expect(client.permit(peerA).class).toBe('success')
    for (const port of [1, 5000, 65_535]) {
      const peer = peerA.withPort(port)
      expect(client.sendIndication(peer, text('out'))).toMatchObject({ socket, destination: `${peer}` })
      expect(harness.fromPeer(socket, peer, text('in'))).toMatchObject({ destination: `${client.address}` })
    }
    expect(client.sendIndication(peerB, text('out'))).toBeUndefined()
    expect(harness.fromPeer(socket, peerB, text('in'))).toBeUndefined()
    expect(harness.server.counters.drops['no-permission']).toBe(2)
  })

  it('is in force for 300 seconds, to the millisecond, both ways', () => {
    const { harness, client, socket } = allocated()
    client.permit(peerA)
    harness.elapse(299.999)
    expect(client.sendIndication(peerA, text('x'))).toBeDefined()
    expect(harness.fromPeer(socket, peerA, text('x'))).toBeDefined()
    harness.elapse(0.001)
    expect(client.sendIndication(peerA, text('x'))).toBeUndefined()
    expect(harness.fromPeer(socket, peerA, text('x'))).toBeUndefined()
  })

  it('is over at its time also when the timer is late', () => {
    const { harness, client } = allocated()
    client.permit(peerA)
    harness.now = (harness.now + 300_000) as typeof harness.now
    expect(client.sendIndication(peerA, text('x'))).toBeUndefined()
  })

  it('is refreshed by CreatePermission, and not by data', () => {
    const { harness, client } = allocated()
    client.permit(peerA)
    harness.elapse(200)
    client.permit(peerA.withPort(9))
    harness.elapse(299)
    expect(client.sendIndication(peerA, text('x'))).toBeDefined()
    harness.elapse(1)
    expect(client.sendIndication(peerA, text('x'))).toBeUndefined()
  })

  it('of one allocation is none of another', () => {
    const { harness, client } = allocated()
    client.permit(peerA)
    const other = harness.client('bob', 'builder')
    const socket = other.relaySocketAt(other.allocate())
    expect(other.sendIndication(peerA, text('x'))).toBeUndefined()
    expect(harness.fromPeer(socket, peerA, text('x'))).toBeUndefined()
  })
})

describe('CreatePermission', () => {
  it('installs all addresses of a request, also one that is named twice', () => {
    const { harness, client } = allocated()
    expect(client.permit(peerA, peerB, peerA.withPort(1)).class).toBe('success')
    expect(client.sendIndication(peerA, text('x'))).toBeDefined()
    expect(client.sendIndication(peerB, text('x'))).toBeDefined()
    harness.elapse(300)
    expect(harness.server.pollTimeout()).toBe(harness.now + 300_000)
  })

  const bad: [string, TransportAddress, number][] = [
    ['a forbidden one', TransportAddress.parse('127.0.0.1:80'), 403],
    ['one of another family', peer6, 443],
  ]
  it.each(bad)('installs none when %s is among them, wherever it stands', (_name, address, code) => {
    for (const peers of [
      [address, peerA, peerB],
      [peerA, address, peerB],
      [peerA, peerB, address],
    ]) {
      const { client } = allocated()
      expect(codeOf(client.permit(...peers))).toBe(code)
      expect(client.sendIndication(peerA, text('x'))).toBeUndefined()
      expect(client.sendIndication(peerB, text('x'))).toBeUndefined()
    }
  })

  it('does not refresh what is in force when it is refused', () => {
    const { harness, client } = allocated()
    client.permit(peerA)
    harness.elapse(200)
    expect(codeOf(client.permit(peerA, TransportAddress.parse('10.0.0.1:1')))).toBe(403)
    harness.elapse(100)
    expect(client.sendIndication(peerA, text('x'))).toBeUndefined()
  })

  it('without an address is refused with 400', () => {
    expect(codeOf(allocated().client.permit())).toBe(400)
  })

  const malformed: [string, number[]][] = [
    ['of four bytes', [0, 1, 0x33, 0x9c]],
    ['of family 0', [0, 0, 0x33, 0x9c, 0x29, 0x1a, 0xa0, 0x46]],
    ['of family 3', [0, 3, 0x33, 0x9c, 0x29, 0x1a, 0xa0, 0x46]],
    ['of family IPv6 in eight bytes', [0, 2, 0x33, 0x9c, 0x29, 0x1a, 0xa0, 0x46]],
    ['that is empty', []],
  ]
  it.each(malformed)('with an address %s is refused with 400', (_name, value) => {
    const { client } = allocated()
    expect(
      codeOf(client.exchange(client.encodeRaw('CreatePermission', 0x0012, Uint8Array.from(value)))),
    ).toBe(400)
  })

  it('without an allocation is refused with 437, by another user with 441', () => {
    const { harness, client } = allocated()
    expect(codeOf(harness.client().permit(peerA))).toBe(437)
    expect(codeOf(harness.client('bob', 'builder', client.address).permit(peerA))).toBe(441)
    expect(client.sendIndication(peerA, text('x'))).toBeUndefined()
  })

  it('with an attribute that it does not know is refused with 420', () => {
    const { client } = allocated()
    const answer = client.request('CreatePermission', [
      ['XOR-PEER-ADDRESS', peerA],
      ['CHANNEL-NUMBER', 0x4000],
    ])
    expect(codeOf(answer)).toBe(420)
    expect(answer.get('UNKNOWN-ATTRIBUTES')).toEqual([0x000c])
    expect(client.sendIndication(peerA, text('x'))).toBeUndefined()
  })

  it('takes so many permissions, answers 508 to more, refreshes those that are there, and takes new ones when they end', () => {
    const { harness, client } = allocated()
    const peers = Array.from({ length: defaultLimits.maxPermissions }, (_, i) =>
      TransportAddress.of(`8.8.${i >> 8}.${i & 255}`, 1),
    )
    for (let i = 0; i < peers.length; i += 16)
      expect(client.permit(...peers.slice(i, i + 16)).class).toBe('success')
    expect(codeOf(client.permit(peerB))).toBe(508)
    expect(codeOf(client.permit(peers[0]!, peerB))).toBe(508)
    expect(client.permit(...peers.slice(0, 16)).class).toBe('success')
    expect(client.sendIndication(peers[0]!, text('x'))).toBeDefined()
    harness.elapse(300)
    expect(client.permit(peerB).class).toBe('success')
  })
})
