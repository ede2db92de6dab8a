import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../../src/core/transport-address.ts'
import { decodeMessage } from '../../../src/stun/message.ts'
import { listening, peerA, peerB } from '../../support/turn-harness.ts'
import { answer, errorAnswer, VirtualTurn } from '../../support/virtual-turn.ts'

const relayed = TransportAddress.of('198.51.100.1', 50_000)

/** A server that gives tickets, and grants everything, but for what `refuses` says. */
function withTickets(
  refuses: (method: string, bytes: Uint8Array) => number | undefined = () => undefined,
): VirtualTurn {
  const virtual = new VirtualTurn({ client: { credentials: undefined, mobility: true } })
  let tickets = 0
  virtual.scripts.set(listening.toString(), (bytes) => {
    const request = decodeMessage(bytes)
    if (typeof request === 'string' || request.class !== 'request') return []
    const code = refuses(request.method!, bytes)
    if (code !== undefined) return [errorAnswer(bytes, code)]
    return [
      answer(bytes, 'success', [
        ['XOR-RELAYED-ADDRESS', relayed],
        ['LIFETIME', 600],
        ['MOBILITY-TICKET', Uint8Array.of(++tickets)],
      ]),
    ]
  })
  return virtual
}

function move(virtual: VirtualTurn): void {
  virtual.client.move(virtual.now)
  virtual.drain()
}

function verify(virtual: VirtualTurn): string[] {
  virtual.client.verify(virtual.now)
  virtual.drain()
  virtual.elapse(1000)
  return virtual.takeEvents().map(({ type }) => type)
}

describe('a client that doubts whether its allocation is still there', () => {
  it('asks at once, and hears that it is', () => {
    const virtual = withTickets()
    virtual.allocate()
    virtual.takeEvents()
    expect(verify(virtual)).toEqual(['verified'])
    expect(virtual.requests('Refresh')).toHaveLength(1)
  })

  it('shows its ticket when the server does not know it any more: a NAT has moved it', () => {
    const virtual = withTickets((method, bytes) => {
      const request = decodeMessage(bytes)
      const hasTicket = typeof request !== 'string' && request.has('MOBILITY-TICKET')
      return method === 'Refresh' && !hasTicket ? 437 : undefined
    })
    virtual.allocate()
    virtual.takeEvents()
    expect(verify(virtual)).toEqual(['moved', 'verified'])
  })

  it('makes another one without a ticket', () => {
    const virtual = new VirtualTurn()
    virtual.allocate()
    virtual.takeEvents()
    virtual.clientAddress = TransportAddress.of('203.0.113.7', 41_000)
    expect(verify(virtual)).toEqual(['allocation-lost', 'allocated'])
  })

  it('asks nothing before it has one', () => {
    const virtual = new VirtualTurn()
    expect(verify(virtual)).toEqual([])
    expect(virtual.sent).toEqual([])
  })
})

describe('a client that moves', () => {
  it('asks for a ticket, and shows it from its new address', () => {
    const virtual = withTickets()
    virtual.allocate()
    expect(virtual.requests('Allocate')[0]!.get('MOBILITY-TICKET')).toHaveLength(0)
    move(virtual)
    virtual.elapse(1000)
    expect(virtual.takeEvents().map(({ type }) => type)).toEqual(['allocated', 'moved'])
    expect(virtual.requests('Refresh')[0]!.get('MOBILITY-TICKET')).toEqual(Uint8Array.of(1))
    expect(virtual.sent.at(-1)!.from).toContain(':40002')
    move(virtual)
    virtual.elapse(1000)
    expect(virtual.requests('Refresh')[1]!.get('MOBILITY-TICKET')).toEqual(Uint8Array.of(2))
  })

  it('keeps its permissions and channels, and asks again for those that were under way', () => {
    const virtual = withTickets()
    virtual.allocate()
    virtual.client.permit(peerA, virtual.now)
    virtual.drain()
    virtual.elapse(1000)
    virtual.loses = () => true
    virtual.client.bindChannel(peerB, virtual.now)
    virtual.drain()
    move(virtual)
    virtual.loses = () => false
    virtual.client.permit(peerB, virtual.now)
    virtual.drain()
    expect(virtual.send(peerA, 'not before the server knows')).toBe(false)
    virtual.elapse(1000)
    expect(virtual.takeEvents().map(({ type }) => type)).toEqual([
      'allocated',
      'permission-installed',
      'moved',
      'permission-installed',
      'channel-bound',
    ])
    expect(virtual.send(peerA, 'goes on')).toBe(true)
    virtual.elapse(3_600_000)
    expect(virtual.send(peerA, 'an hour later')).toBe(true)
    expect(virtual.takeEvents()).toEqual([])
  })

  it('that has no ticket makes another allocation', () => {
    const virtual = new VirtualTurn()
    virtual.allocate()
    virtual.takeEvents()
    move(virtual)
    virtual.elapse(1000)
    expect(virtual.takeEvents().map(({ type }) => type)).toEqual(['allocation-lost', 'allocated'])
  })

  it('makes another allocation when the server does not let it move', () => {
    const virtual = withTickets((method, bytes) => {
      const request = decodeMessage(bytes)
      return method === 'Refresh' && typeof request !== 'string' && request.has('MOBILITY-TICKET')
        ? 405
        : undefined
    })
    virtual.allocate()
    move(virtual)
    virtual.elapse(1000)
    expect(virtual.takeEvents()).toMatchObject([
      { type: 'allocated' },
      { type: 'allocation-lost', failure: { code: 405 } },
      { type: 'allocated' },
    ])
  })

  it('does without a ticket when the server gives none', () => {
    const virtual = withTickets((method, bytes) => {
      const request = decodeMessage(bytes)
      return method === 'Allocate' && typeof request !== 'string' && request.has('MOBILITY-TICKET')
        ? 405
        : undefined
    })
    virtual.allocate()
    expect(virtual.takeEvents().map(({ type }) => type)).toEqual(['allocated'])
    expect(virtual.requests('Allocate').map((request) => request.has('MOBILITY-TICKET'))).toEqual([
      true,
      false,
    ])
  })

  it('takes its allocation along when its connection is lost', () => {
    const virtual = withTickets()
    virtual.allocate()
    virtual.isOpen = false
    virtual.client.transportFailed('ECONNRESET', virtual.now)
    virtual.drain()
    virtual.elapse(1000)
    expect(virtual.takeEvents().map(({ type }) => type)).toEqual(['allocated', 'moved'])
  })
})
