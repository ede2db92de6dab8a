/** Mobility: RFC 8016. The client "at home" allocates, and goes on as the client "away". */

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import type { TurnServerOptions } from '../../src/turn/options.ts'
import {
  codeOf,
  listener,
  peer6,
  peerA,
  peerB,
  type TurnClient,
  TurnHarness,
  text,
} from '../support/turn-harness.ts'

const udp: Attribute = ['REQUESTED-TRANSPORT', 17]
const wantsTicket: Attribute = ['MOBILITY-TICKET', new Uint8Array(0)]
const ticketOf = (ticket: Uint8Array): Attribute => ['MOBILITY-TICKET', ticket]

interface Moved {
  readonly harness: TurnHarness
  readonly home: TurnClient
  readonly relayed: TransportAddress
  readonly ticket: Uint8Array
}

/** An allocation with a ticket, a channel 0x4000 to peer A and a permission for peer B. */
function mobile(
  options: Partial<TurnServerOptions> = {},
  home?: (harness: TurnHarness) => TurnClient,
): Moved {
  const harness = new TurnHarness({ mobility: true, ...options })
  const client = home?.(harness) ?? harness.client()
  const answer = client.request('Allocate', [udp, wantsTicket])
  const relayed = answer.get('XOR-RELAYED-ADDRESS')!
  const ticket = answer.get('MOBILITY-TICKET')!.slice()
  client.bindChannel(0x4000, peerA)
  client.permit(peerB)
  return { harness, home: client, relayed, ticket }
}

function resume(client: TurnClient, ticket: Uint8Array): Uint8Array {
  const answer = client.request('Refresh', [ticketOf(ticket)])
  expect(codeOf(answer)).toBeUndefined()
  return answer.get('MOBILITY-TICKET')!.slice()
}

/** Where a packet from peer A goes. */
function destination({ harness, home, relayed }: Moved): string | undefined {
  return harness.fromPeer(home.relaySocketAt(relayed), peerA, text('from A'))?.destination
}

describe('Allocate with an empty MOBILITY-TICKET', () => {
  it('gives a ticket that is text of 32 characters, and another one to every allocation', () => {
    const { harness, ticket } = mobile()
    expect(ticket.length).toBe(32)
    const other = harness.client().request('Allocate', [udp, wantsTicket]).get('MOBILITY-TICKET')
    expect(other).not.toEqual(ticket)
  })

  it('gives the same ticket to a retransmission', () => {
    const harness = new TurnHarness({ mobility: true })
    const client = harness.client()
    client.nonce = client.challenge()
    const bytes = client.encode('Allocate', [udp, wantsTicket])
    const first = client.exchange(bytes)!.bytes.slice()
    expect(client.exchange(bytes)!.bytes).toEqual(first)
  })

  it('is answered 405 where mobility is forbidden, and leaves nothing behind', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    expect(codeOf(client.request('Allocate', [udp, wantsTicket]))).toBe(405)
    expect(harness.relaySockets.size).toBe(0)
  })

  it('is answered 405 by a server without authentication', () => {
    const harness = new TurnHarness({ mobility: true, credentials: undefined })
    const client = harness.client()
    const bytes = client.encode('Allocate', [udp, wantsTicket], { unauthenticated: true })
    expect(codeOf(client.exchange(bytes))).toBe(405)
  })

  it('is answered 400 when it is not empty', () => {
    const client = new TurnHarness({ mobility: true }).client()
    expect(codeOf(client.request('Allocate', [udp, ticketOf(new Uint8Array(32))]))).toBe(400)
  })

  it('gives tickets with reservations and their redemption as well', () => {
    const harness = new TurnHarness({ mobility: true })
    const answer = harness
      .client()
      .request('Allocate', [udp, ['EVEN-PORT', { reserveNext: true }], wantsTicket])
    const token = answer.get('RESERVATION-TOKEN')!.slice()
    expect(answer.get('MOBILITY-TICKET')?.length).toBe(32)
    const second = harness.client().request('Allocate', [udp, ['RESERVATION-TOKEN', token], wantsTicket])
    expect(second.get('MOBILITY-TICKET')?.length).toBe(32)
  })
})

describe('Refresh with a MOBILITY-TICKET', () => {
  it('is answered with the lifetime and a new ticket', () => {
    const { harness, ticket } = mobile()
    harness.elapse(300)
    const answer = harness.client().request('Refresh', [ticketOf(ticket), ['LIFETIME', 1200]])
    expect(answer.get('LIFETIME')).toBe(1200)
    expect(answer.get('MOBILITY-TICKET')?.length).toBe(32)
    expect(answer.get('MOBILITY-TICKET')).not.toEqual(ticket)
  })

  it('leaves data on the old path until the first that comes from the new one', () => {
    const all = mobile()
    const { harness, home, ticket } = all
    const away = harness.client()
    resume(away, ticket)
    expect(destination(all)).toBe(`${home.address}`)
    expect(home.sendChannelData(0x4000, text('still here'))?.destination).toBe(`${peerA}`)
    expect(destination(all)).toBe(`${home.address}`)
    harness.takeOutputs()
    expect(away.sendChannelData(0x4000, text('from away'))).toMatchObject({
      destination: `${peerA}`,
      bytes: text('from away'),
    })
    expect(harness.outputs).toMatchObject([{ type: 'allocation-moved', from: home.address }])
    expect(destination(all)).toBe(`${away.address}`)
  })

  it('moves at a Send indication as well, and keeps relayed address, channels and permissions', () => {
    const all = mobile()
    const away = all.harness.client()
    resume(away, all.ticket)
    expect(away.sendIndication(peerB, text('hello'))).toMatchObject({
      socket: all.home.relaySocketAt(all.relayed),
      destination: `${peerB}`,
    })
    expect(destination(all)).toBe(`${away.address}`)
    expect(away.sendChannelData(0x4000, text('channel'))?.destination).toBe(`${peerA}`)
  })

  it('forgets the old path with the move', () => {
    const { harness, home, ticket } = mobile()
    const away = harness.client()
    resume(away, ticket)
    away.sendIndication(peerB, text('here now'))
    expect(home.sendChannelData(0x4000, text('too late'))).toBeUndefined()
    expect(codeOf(home.request('Refresh'))).toBe(437)
    home.allocate()
  })

  it('lets requests come in on the new path before data does', () => {
    const { harness, ticket } = mobile()
    const away = harness.client()
    resume(away, ticket)
    expect(codeOf(away.permit(peerB))).toBeUndefined()
    expect(away.request('Refresh').get('LIFETIME')).toBe(600)
    expect(codeOf(away.request('Allocate', [udp]))).toBe(437)
  })

  it('is repeated with the same new ticket when the answer was lost, for 30 seconds', () => {
    const { harness, ticket } = mobile()
    const away = harness.client()
    away.nonce = away.challenge()
    const bytes = away.encode('Refresh', [ticketOf(ticket)])
    const first = away.exchange(bytes)!.bytes.slice()
    harness.elapse(15)
    expect(away.exchange(bytes)!.bytes).toEqual(first)
    away.sendIndication(peerB, text('moved'))
    harness.elapse(14.9)
    expect(away.exchange(bytes)!.bytes).toEqual(first)
    harness.elapse(0.1)
    expect(codeOf(away.exchange(bytes))).toBe(400)
  })

  it('takes the newest ticket only: the old one is refused from anywhere else', () => {
    const { harness, home, ticket } = mobile()
    resume(harness.client(), ticket)
    expect(codeOf(harness.client().request('Refresh', [ticketOf(ticket)]))).toBe(400)
    expect(codeOf(home.request('Refresh', [ticketOf(ticket)]))).toBe(400)
  })

  it('has one pending move at a time: the newer takes the place of the older', () => {
    const all = mobile()
    const { harness, home, ticket } = all
    const [first, second] = [harness.client(), harness.client()]
    resume(second, resume(first, ticket))
    expect(first.sendChannelData(0x4000, text('no'))).toBeUndefined()
    expect(codeOf(first.request('Refresh'))).toBe(437)
    expect(destination(all)).toBe(`${home.address}`)
    second.sendChannelData(0x4000, text('yes'))
    expect(destination(all)).toBe(`${second.address}`)
  })

  it('may lead back to where the client still is', () => {
    const all = mobile()
    const { harness, home, ticket } = all
    const away = harness.client()
    const next = resume(away, ticket)
    resume(home, next)
    expect(away.sendChannelData(0x4000, text('no'))).toBeUndefined()
    expect(home.sendChannelData(0x4000, text('yes'))?.destination).toBe(`${peerA}`)
    expect(destination(all)).toBe(`${home.address}`)
  })

  it('may go on from place to place', () => {
    const all = mobile()
    let { ticket } = all
    for (let i = 0; i < 5; i++) {
      const next = all.harness.client()
      ticket = resume(next, ticket)
      next.sendChannelData(0x4000, text('here'))
      expect(destination(all)).toBe(`${next.address}`)
    }
    expect(all.harness.relaySockets.size).toBe(1)
  })

  it('is refused with 400 from where the client is already', () => {
    const { harness, home, ticket } = mobile()
    expect(codeOf(home.request('Refresh', [ticketOf(ticket)]))).toBe(400)
    const away = harness.client()
    const next = resume(away, ticket)
    expect(codeOf(away.request('Refresh', [ticketOf(next)]))).toBe(400)
  })

  const forged: [string, (ticket: Uint8Array) => Uint8Array][] = [
    ['empty', () => new Uint8Array(0)],
    ['too short', (ticket) => ticket.slice(0, 31)],
    ['too long', (ticket) => Uint8Array.of(...ticket, 0)],
    ['random', (ticket) => ticket.map((byte, i) => byte ^ (i * 37 + 1))],
    ...Array.from({ length: 32 }, (_, at): [string, (ticket: Uint8Array) => Uint8Array] => [
      `changed in byte ${at}`,
      (ticket) => ticket.map((byte, i) => (i === at ? byte ^ 1 : byte)),
    ]),
  ]
  it.each(forged)('is refused with 400 when the ticket is %s', (_name, forge) => {
    const all = mobile()
    const away = all.harness.client()
    expect(codeOf(away.request('Refresh', [ticketOf(forge(all.ticket))]))).toBe(400)
    expect(destination(all)).toBe(`${all.home.address}`)
  })

  it("is refused with 400 when the ticket is another server's", () => {
    const other = new TurnHarness({ mobility: true }, 2)
    const { ticket } = mobile()
    other.client().allocate([wantsTicket])
    expect(codeOf(other.client().request('Refresh', [ticketOf(ticket)]))).toBe(400)
  })

  it('is refused with 437 when the allocation is gone', () => {
    const { harness, home, ticket } = mobile()
    home.request('Refresh', [['LIFETIME', 0]])
    expect(codeOf(harness.client().request('Refresh', [ticketOf(ticket)]))).toBe(437)
  })

  it('is refused with 437 when it has expired', () => {
    const { harness, ticket } = mobile()
    harness.elapse(600)
    expect(codeOf(harness.client().request('Refresh', [ticketOf(ticket)]))).toBe(437)
  })

  it('is refused with 441 to another user, and changes nothing', () => {
    const all = mobile()
    const thief = all.harness.client('bob', 'builder')
    expect(codeOf(thief.request('Refresh', [ticketOf(all.ticket)]))).toBe(441)
    expect(thief.sendChannelData(0x4000, text('mine'))).toBeUndefined()
    resume(all.harness.client(), all.ticket)
  })

  it('is challenged first where the nonce is from the old address', () => {
    const { harness, home, ticket } = mobile()
    const away = harness.client()
    const answer = away.request('Refresh', [ticketOf(ticket)], { nonce: home.nonce! })
    expect(codeOf(answer)).toBe(438)
    away.nonce = answer.get('NONCE')!
    resume(away, ticket)
  })

  it('is refused with 437 on a five-tuple that has an allocation', () => {
    const { harness, ticket } = mobile()
    const away = harness.client()
    away.allocate()
    expect(codeOf(away.request('Refresh', [ticketOf(ticket)]))).toBe(437)
  })

  it('is refused with 403 from the end of a tunnel', () => {
    const { harness, ticket } = mobile()
    const away = harness.client('alice', 'wonder', TransportAddress.of('2002:cb00:7101::1', 4000))
    expect(codeOf(away.request('Refresh', [ticketOf(ticket)]))).toBe(403)
  })

  it('is refused with 405 where mobility is forbidden', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    client.allocate()
    expect(codeOf(client.request('Refresh', [ticketOf(new Uint8Array(32))]))).toBe(405)
  })

  it('deletes with a lifetime of 0', () => {
    const { harness, ticket } = mobile()
    const answer = harness.client().request('Refresh', [ticketOf(ticket), ['LIFETIME', 0]])
    expect(answer.get('LIFETIME')).toBe(0)
    expect(harness.relaySockets.size).toBe(0)
  })

  it('deletes one family of two, and refuses one that is not there with 443', () => {
    const harness = new TurnHarness({ mobility: true })
    const client = harness.client()
    const allocated = client.request('Allocate', [udp, ['ADDITIONAL-ADDRESS-FAMILY', 'IPv6'], wantsTicket])
    const ticket = allocated.get('MOBILITY-TICKET')!.slice()
    client.permit(peer6)
    const family: Attribute = ['REQUESTED-ADDRESS-FAMILY', 'IPv4']
    const away = harness.client()
    const answer = away.request('Refresh', [ticketOf(ticket), ['LIFETIME', 0], family])
    expect(answer.get('LIFETIME')).toBe(0)
    expect(harness.relaySockets.size).toBe(1)
    expect(codeOf(away.request('Refresh', [ticketOf(ticket), family]))).toBe(443)
  })

  it('leaves no trace when the allocation ends during a move', () => {
    const { harness, ticket } = mobile()
    const away = harness.client()
    resume(away, ticket)
    harness.elapse(600)
    expect(harness.relaySockets.size).toBe(0)
    away.nonce = undefined
    expect(codeOf(away.request('Refresh'))).toBe(437)
    away.allocate()
  })
})

describe('the quota and mobility', () => {
  it('is held by an allocation from its Allocate to its end, wherever its client is', () => {
    const { harness, home, ticket } = mobile({ userQuota: 1 })
    const away = harness.client()
    resume(away, ticket)
    expect(codeOf(harness.client().request('Allocate', [udp]))).toBe(486)
    away.sendIndication(peerB, text('moved'))
    expect(codeOf(home.request('Allocate', [udp]))).toBe(486)
    away.request('Refresh', [['LIFETIME', 0]])
    home.allocate()
  })

  it('is held while the client is away', () => {
    const { harness, home } = mobile({ userQuota: 1 }, (harness) => harness.streamClient())
    harness.server.streamClosed(home.socket, home.address)
    harness.drain()
    expect(codeOf(harness.client().request('Allocate', [udp]))).toBe(486)
    harness.elapse(600)
    harness.client().allocate()
  })
})

describe('a mobile client on a connection', () => {
  const overTcp = () => mobile({}, (harness) => harness.streamClient())

  it('may come back by another one, or by UDP, after its connection broke', () => {
    for (const comeBack of [(h: TurnHarness) => h.streamClient('tls'), (h: TurnHarness) => h.client()]) {
      const all = overTcp()
      const { harness, home, ticket } = all
      harness.server.streamClosed(home.socket, home.address)
      harness.drain()
      expect(destination(all)).toBeUndefined()
      expect(harness.server.counters.drops['client-away']).toBe(1)
      const away = comeBack(harness)
      resume(away, ticket)
      expect(destination(all)).toBe(`${away.address}`)
      expect(away.sendChannelData(0x4000, text('back'))?.destination).toBe(`${peerA}`)
    }
  })

  it('is where its move has led when the old connection closes', () => {
    const all = overTcp()
    const { harness, home, ticket } = all
    const away = harness.streamClient()
    resume(away, ticket)
    harness.server.streamClosed(home.socket, home.address)
    harness.drain()
    expect(destination(all)).toBe(`${away.address}`)
  })

  it('stays where it was when the new connection closes before data has come from there', () => {
    const all = overTcp()
    const { harness, home, ticket } = all
    const away = harness.streamClient()
    const next = resume(away, ticket)
    harness.server.streamClosed(away.socket, away.address)
    harness.drain()
    expect(destination(all)).toBe(`${home.address}`)
    resume(harness.streamClient(), next)
  })

  it("is told nothing, and gets nothing of another one's, while it is away", () => {
    const all = overTcp()
    const { harness, home, relayed } = all
    harness.server.streamClosed(home.socket, home.address)
    harness.takeOutputs()
    harness.server.handleIcmp(home.relaySocketAt(relayed), peerA, 3, 3, 0, harness.now)
    harness.drain()
    expect(harness.outputs).toEqual([])
    expect(listener).not.toBe(home.socket)
  })

  it('without a ticket loses its allocation with the connection', () => {
    const harness = new TurnHarness({ mobility: true })
    const client = harness.streamClient()
    client.allocate()
    harness.server.streamClosed(client.socket, client.address)
    harness.drain()
    expect(harness.relaySockets.size).toBe(0)
  })
})
