/** ICMP errors in Data indications: RFC 8656 §11.5, §18.13. */

import { describe, expect, it } from 'vitest'
import type { SocketId } from '../../src/core/sans-io.ts'
import type { TransportAddress } from '../../src/core/transport-address.ts'
import type { Message } from '../../src/stun/message.ts'
import { peer6, peerA, peerB, type TurnClient, TurnHarness } from '../support/turn-harness.ts'

function allocated(family: 'IPv4' | 'IPv6' = 'IPv4'): {
  harness: TurnHarness
  client: TurnClient
  socket: SocketId
} {
  const harness = new TurnHarness()
  const client = harness.client()
  const relayed = client.allocate([['REQUESTED-ADDRESS-FAMILY', family]])
  client.permit(family === 'IPv4' ? peerA : peer6)
  return { harness, client, socket: client.relaySocketAt(relayed) }
}

function told(
  { harness, client, socket }: ReturnType<typeof allocated>,
  peer: TransportAddress,
  type: number,
  code: number,
  data = 0,
): Message | undefined {
  harness.takeOutputs()
  harness.server.handleIcmp(socket, peer, type, code, data, harness.now)
  harness.drain()
  return client.lastAnswer()
}

describe('an ICMP error', () => {
  const relayed: ['IPv4' | 'IPv6', string, number, number, number, number][] = [
    ['IPv4', 'port unreachable', 3, 3, 0, 0],
    ['IPv4', 'fragmentation needed, with the MTU', 3, 4, 1400, 1400],
    ['IPv4', 'time exceeded, without what stands where an MTU would', 11, 0, 99, 0],
    ['IPv6', 'destination unreachable', 1, 4, 0, 0],
    ['IPv6', 'packet too big, with the MTU', 2, 0, 1280, 1280],
    ['IPv6', 'time exceeded', 3, 0, 0, 0],
  ]
  it.each(relayed)('over %s is told: %s', (family, _name, type, code, data, expected) => {
    const peer = family === 'IPv4' ? peerA : peer6
    const indication = told(allocated(family), peer, type, code, data)!
    expect([indication.class, indication.method]).toEqual(['indication', 'Data'])
    expect(`${indication.get('XOR-PEER-ADDRESS')}`).toBe(`${peer}`)
    expect(indication.get('ICMP')).toEqual({ type, code, data: expected })
    expect(indication.has('DATA')).toBe(false)
  })

  it('is told with port 0 where the port is not known', () => {
    const indication = told(allocated(), peerA.withPort(0), 3, 1)
    expect(indication?.get('XOR-PEER-ADDRESS')?.port).toBe(0)
  })

  it.each([
    ['IPv4', 5, 0],
    ['IPv4', 2, 0],
    ['IPv6', 11, 0],
    ['IPv6', 128, 0],
  ] as const)('over %s of type %s is dropped', (family, type, code) => {
    const all = allocated(family)
    expect(told(all, family === 'IPv4' ? peerA : peer6, type, code)).toBeUndefined()
    expect(all.harness.server.counters.drops['unexpected-icmp']).toBe(1)
  })

  it('is dropped for a peer without a permission, and when that has run out', () => {
    const all = allocated()
    expect(told(all, peerB, 3, 3)).toBeUndefined()
    all.harness.elapse(300)
    expect(told(all, peerA, 3, 3)).toBeUndefined()
    expect(all.harness.server.counters.drops['no-permission']).toBe(2)
  })

  it('is dropped on a socket without an allocation', () => {
    const all = allocated()
    all.client.request('Refresh', [['LIFETIME', 0]])
    expect(told(all, peerA, 3, 3)).toBeUndefined()
  })
})
