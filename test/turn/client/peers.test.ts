import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../../src/core/transport-address.ts'
import { listening, peer6, peerA, peerB } from '../../support/turn-harness.ts'
import { answer, VirtualTurn } from '../../support/virtual-turn.ts'

const loopback = TransportAddress.of('127.0.0.1', 9)

function allocated(): VirtualTurn {
  const virtual = new VirtualTurn()
  virtual.allocate()
  virtual.takeEvents()
  return virtual
}

function permit(virtual: VirtualTurn, ...peers: TransportAddress[]): void {
  for (const peer of peers) virtual.client.permit(peer, virtual.now)
  virtual.drain()
}

function bind(virtual: VirtualTurn, ...peers: TransportAddress[]): void {
  for (const peer of peers) virtual.client.bindChannel(peer, virtual.now)
  virtual.drain()
}

describe('a permission', () => {
  it('lets data through both ways as indications', () => {
    const virtual = allocated()
    const inbox = virtual.inbox(peerA)
    permit(virtual, peerA)
    expect(virtual.send(peerA, 'too early')).toBe(false)
    virtual.elapse(100)
    expect(virtual.takeEvents()).toEqual([{ type: 'permission-installed', peer: peerA }])
    expect(virtual.send(peerA, 'hello')).toBe(true)
    virtual.elapse(100)
    expect(inbox.map(({ text }) => text)).toEqual(['hello'])
    virtual.sendFromPeer(peerA, virtual.client.allocation!.relayed[0]!, 'hello yourself')
    virtual.elapse(100)
    expect(virtual.received).toEqual([{ peer: peerA.toString(), text: 'hello yourself' }])
  })

  it('is asked for once, however often it is wanted', () => {
    const virtual = allocated()
    permit(virtual, peerA, peerA, peerA.withPort(1), peerA)
    virtual.elapse(100)
    permit(virtual, peerA)
    virtual.elapse(100)
    expect(virtual.requests('CreatePermission')).toHaveLength(1)
  })

  it('is noted before there is an allocation, and asked for once there is one', () => {
    const virtual = new VirtualTurn()
    permit(virtual, peerA, peerB, peerA)
    virtual.allocate()
    expect(virtual.takeEvents().map(({ type }) => type)).toEqual([
      'allocated',
      'permission-installed',
      'permission-installed',
    ])
    expect(virtual.requests('CreatePermission').map((request) => request.all('XOR-PEER-ADDRESS'))).toEqual([
      [peerA, peerB],
    ])
  })

  it('is refused to one peer without harm to the others', () => {
    const virtual = new VirtualTurn()
    permit(virtual, peerA, loopback, peerB)
    virtual.allocate()
    expect(virtual.takeEvents().slice(1)).toMatchObject([
      { type: 'permission-installed', peer: peerA },
      { type: 'permission-refused', peer: loopback, failure: { code: 403 } },
      { type: 'permission-installed', peer: peerB },
    ])
    expect(virtual.send(peerA, 'goes on')).toBe(true)
  })

  it('is not asked for in a family that was not allocated', () => {
    const virtual = allocated()
    permit(virtual, peer6)
    bind(virtual, peer6)
    virtual.elapse(100)
    expect(virtual.takeEvents()).toEqual([
      { type: 'permission-refused', peer: peer6, failure: { type: 'family-not-allocated' } },
      { type: 'channel-refused', peer: peer6, failure: { type: 'family-not-allocated' } },
    ])
    expect(virtual.requests('CreatePermission')).toHaveLength(0)
    expect(virtual.requests('ChannelBind')).toHaveLength(0)
  })

  it('is refreshed before its 300 seconds are over, all of them in one request', () => {
    const virtual = allocated()
    permit(virtual, peerA)
    virtual.elapse(5000)
    permit(virtual, peerB)
    virtual.elapse(244_000)
    expect(virtual.requests('CreatePermission')).toHaveLength(2)
    virtual.elapse(45_000)
    expect(virtual.requests('CreatePermission')).toHaveLength(3)
    virtual.elapse(3_600_000)
    const inbox = virtual.inbox(peerB)
    virtual.send(peerB, 'an hour later')
    virtual.elapse(100)
    expect(inbox).toHaveLength(1)
  })

  it('expires when nobody needs it any more', () => {
    const virtual = allocated()
    permit(virtual, peerA, peerA.withPort(1))
    virtual.elapse(100)
    virtual.client.forget(peerA)
    virtual.elapse(400_000)
    expect(virtual.send(peerA.withPort(1), 'still held for this port')).toBe(true)
    virtual.client.forget(peerA.withPort(1))
    expect(virtual.send(peerA, 'not expired yet')).toBe(true)
    const requests = virtual.requests('CreatePermission').length
    virtual.elapse(300_000)
    expect(virtual.send(peerA, 'expired')).toBe(false)
    expect(virtual.requests('CreatePermission')).toHaveLength(requests)
  })
})

describe('a channel', () => {
  it('carries data both ways behind four bytes', () => {
    const virtual = allocated()
    const inbox = virtual.inbox(peerA)
    bind(virtual, peerA)
    virtual.elapse(100)
    expect(virtual.takeEvents()).toEqual([
      { type: 'channel-bound', peer: peerA, number: 0x4000 },
      { type: 'permission-installed', peer: peerA },
    ])
    virtual.send(peerA, 'hello')
    expect([...virtual.sent.at(-1)!.bytes.subarray(0, 4)]).toEqual([0x40, 0, 0, 5])
    virtual.elapse(100)
    expect(inbox.map(({ text }) => text)).toEqual(['hello'])
    virtual.sendFromPeer(peerA, virtual.client.allocation!.relayed[0]!, 'hello yourself')
    virtual.elapse(100)
    expect([...virtual.fromServer.at(-1)!.bytes.subarray(0, 4)]).toEqual([0x40, 0, 0, 14])
    expect(virtual.received).toEqual([{ peer: peerA.toString(), text: 'hello yourself' }])
  })

  it('carries data while it is being bound', () => {
    const virtual = allocated()
    const inbox = virtual.inbox(peerA)
    bind(virtual, peerA)
    expect(virtual.send(peerA, 'right behind the request')).toBe(true)
    virtual.elapse(100)
    expect(inbox).toHaveLength(1)
  })

  it('gives way to a Send indication while it is being bound, where there is a permission', () => {
    const virtual = allocated()
    const inbox = virtual.inbox(peerA)
    permit(virtual, peerA)
    virtual.elapse(100)
    let isLost = true
    virtual.loses = ({ bytes }) => bytes[1] === 9 && isLost
    bind(virtual, peerA)
    virtual.send(peerA, 'safe')
    virtual.elapse(100)
    isLost = false
    expect(inbox).toHaveLength(1)
  })

  it('brings data also where the answer never came: the server may have bound it', () => {
    const virtual = allocated()
    const [relayed] = virtual.client.allocation!.relayed
    virtual.loses = ({ bytes }, direction) => direction === 'to-client' && bytes[0] === 1 && bytes[1] === 9
    bind(virtual, peerA)
    virtual.elapse(40_000)
    expect(virtual.takeEvents()).toMatchObject([
      { type: 'channel-refused', peer: peerA, failure: { type: 'timed-out' } },
      { type: 'permission-installed', peer: peerA },
    ])
    virtual.received.length = 0
    virtual.sendFromPeer(peerA, relayed!, 'through the channel')
    virtual.elapse(100)
    expect(virtual.received.map(({ text }) => text)).toEqual(['through the channel'])
    expect(virtual.send(peerA, 'as an indication')).toBe(true)
  })

  it('is bound once, however often it is wanted, also before there is an allocation', () => {
    const virtual = new VirtualTurn()
    bind(virtual, peerA, peerA, peerB)
    virtual.allocate()
    bind(virtual, peerA, peerB)
    virtual.elapse(100)
    expect(virtual.requests('ChannelBind').map((request) => request.get('CHANNEL-NUMBER'))).toEqual([
      0x4000, 0x4001,
    ])
  })

  it('that is refused leaves the other peers alone', () => {
    const virtual = allocated()
    bind(virtual, loopback, peerA)
    virtual.elapse(100)
    expect(virtual.takeEvents()).toMatchObject([
      { type: 'channel-refused', peer: loopback, failure: { code: 403 } },
      { type: 'channel-bound', peer: peerA },
      { type: 'permission-installed', peer: peerA },
    ])
    expect(virtual.send(loopback, 'no way')).toBe(false)
  })

  it('is refreshed, and with it its permission, so that neither expires', () => {
    const virtual = allocated()
    bind(virtual, peerA)
    virtual.elapse(239_000)
    expect(virtual.requests('ChannelBind')).toHaveLength(1)
    virtual.elapse(3000)
    expect(virtual.requests('ChannelBind')).toHaveLength(2)
    virtual.elapse(3_600_000)
    expect(virtual.requests('CreatePermission')).toHaveLength(0)
    const inbox = virtual.inbox(peerA)
    virtual.send(peerA, 'an hour later')
    virtual.elapse(100)
    expect(inbox).toHaveLength(1)
    expect(virtual.takeEvents().map(({ type }) => type)).toEqual(['channel-bound', 'permission-installed'])
  })

  it('that has expired is bound again under the same number within its cool-down', () => {
    const virtual = allocated()
    bind(virtual, peerA)
    virtual.elapse(100)
    virtual.client.forget(peerA)
    virtual.elapse(601_000)
    expect(virtual.takeEvents().at(-1)).toEqual({ type: 'channel-expired', peer: peerA, number: 0x4000 })
    expect(virtual.send(peerA, 'unbound')).toBe(false)
    bind(virtual, peerA)
    virtual.elapse(100)
    expect(virtual.takeEvents()).toContainEqual({ type: 'channel-bound', peer: peerA, number: 0x4000 })
    expect(virtual.send(peerA, 'bound again')).toBe(true)
  })

  it('leaves its number to nobody else until five minutes after it has expired', () => {
    const virtual = new VirtualTurn({ client: { credentials: undefined } })
    virtual.scripts.set(listening.toString(), (bytes) => [
      answer(bytes, 'success', [
        ['XOR-RELAYED-ADDRESS', TransportAddress.of('198.51.100.1', 50_000)],
        ['LIFETIME', 3600],
      ]),
    ])
    virtual.allocate()
    bind(virtual, peerA)
    virtual.elapse(1000)
    virtual.client.forget(peerA)
    virtual.elapse(580_000)
    bind(
      virtual,
      ...Array.from({ length: 4095 }, (_, i) => TransportAddress.of(`8.8.${i >> 8}.${i & 255}`, 1)),
    )
    virtual.elapse(25_000)
    virtual.takeEvents()
    bind(virtual, peerB)
    expect(virtual.takeEvents()).toEqual([
      { type: 'channel-refused', peer: peerB, failure: { type: 'no-free-channel' } },
    ])
    virtual.elapse(298_000)
    bind(virtual, peerB)
    virtual.elapse(1000)
    expect(virtual.takeEvents()).toContainEqual({ type: 'channel-bound', peer: peerB, number: 0x4000 })
  })

  it('is used again while it waits to expire, without another request', () => {
    const virtual = allocated()
    bind(virtual, peerA)
    virtual.elapse(100)
    virtual.client.forget(peerA)
    virtual.elapse(200_000)
    expect(virtual.send(peerA, 'not expired yet')).toBe(true)
  })

  it('that is a bad request when it is refreshed makes the client delete its allocation and start afresh', () => {
    const virtual = allocated()
    bind(virtual, peerA)
    virtual.elapse(100)
    virtual.takeEvents()
    const { mapped } = virtual.client.allocation!
    // Another program on our five-tuple has taken the channel number for another peer.
    const intruder = virtual.harness.client('alice', 'wonder', mapped)
    intruder.request('Refresh', [['LIFETIME', 0]])
    virtual.harness.drain()
    intruder.allocate()
    intruder.bindChannel(0x4000, peerB)
    virtual.elapse(241_000)
    expect(virtual.takeEvents()).toMatchObject([
      { type: 'allocation-lost', failure: { code: 400 } },
      { type: 'allocated' },
    ])
    expect(virtual.requests('Refresh').at(-1)!.get('LIFETIME')).toBe(0)
    expect(virtual.harness.relaySockets.size).toBe(1)
  })

  it('that the server does not know when it is refreshed makes the client start afresh', () => {
    const virtual = allocated()
    bind(virtual, peerA)
    virtual.elapse(100)
    virtual.takeEvents()
    virtual.harness.server.closeAll()
    virtual.harness.drain()
    virtual.elapse(241_000)
    expect(virtual.takeEvents()).toMatchObject([
      { type: 'allocation-lost', failure: { code: 437 } },
      { type: 'allocated' },
    ])
  })
})

describe('what comes from the server', () => {
  it('is not taken from a peer that was never asked for', () => {
    const virtual = allocated()
    const { relayed, mapped } = virtual.client.allocation!
    const intruder = virtual.harness.client('alice', 'wonder', mapped)
    intruder.permit(peerB)
    virtual.sendFromPeer(peerB, relayed[0]!, 'let me in')
    virtual.elapse(100)
    expect(virtual.received).toEqual([])
    expect(virtual.client.counters.drops['unexpected-peer']).toBe(1)
  })

  it('is not taken from another address', () => {
    const virtual = allocated()
    bind(virtual, peerA)
    virtual.elapse(100)
    virtual.handIn(Uint8Array.of(0x40, 0, 0, 1, 65), peerA)
    expect(virtual.received).toEqual([])
    virtual.handIn(Uint8Array.of(0x40, 0, 0, 1, 65))
    expect(virtual.received).toHaveLength(1)
  })
})
