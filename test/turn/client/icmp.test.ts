import { expect, it } from 'vitest'
import type { Attribute } from '../../../src/stun/attributes.ts'
import { encodeMessage } from '../../../src/stun/encode.ts'
import { peerA, peerB } from '../../support/turn-harness.ts'
import { VirtualTurn } from '../../support/virtual-turn.ts'

const portUnreachable = { type: 3, code: 3, data: 0 }

function dataIndication(...attributes: Attribute[]): Uint8Array {
  return encodeMessage({ class: 'indication', method: 'Data', transactionId: new Uint8Array(12), attributes })
}

function permitted(): VirtualTurn {
  const virtual = new VirtualTurn()
  virtual.allocate()
  virtual.client.permit(peerA, virtual.now)
  virtual.drain()
  virtual.elapse(100)
  virtual.takeEvents()
  return virtual
}

it('tells of a router that refused a packet to a peer, on any port of it', () => {
  const virtual = permitted()
  const peer = peerA.withPort(0)
  virtual.handIn(dataIndication(['XOR-PEER-ADDRESS', peer], ['ICMP', portUnreachable]))
  expect(virtual.takeEvents()).toEqual([{ type: 'peer-unreachable', peer, icmp: portUnreachable }])
  expect(virtual.received).toEqual([])
})

it.each([
  [
    'about a peer that was never asked for',
    [
      ['XOR-PEER-ADDRESS', peerB],
      ['ICMP', portUnreachable],
    ],
    'unexpected-peer',
  ],
  ['about nobody', [['ICMP', portUnreachable]], 'malformed'],
  ['about nothing', [['XOR-PEER-ADDRESS', peerA]], 'malformed'],
] as [string, Attribute[], 'unexpected-peer' | 'malformed'][])(
  'passes over one %s',
  (_, attributes, reason) => {
    const virtual = permitted()
    virtual.handIn(dataIndication(...attributes))
    expect(virtual.takeEvents()).toEqual([])
    expect(virtual.client.counters.drops[reason]).toBe(1)
  },
)
