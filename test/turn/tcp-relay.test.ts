/** RFC 6062 in the engine: TCP allocations, and connections with peers. */

import { describe, expect, it } from 'vitest'
import { socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { TurnServerOptions } from '../../src/turn/options.ts'
import type { ServerOutput } from '../../src/turn/outputs.ts'
import type { ConnectionId } from '../../src/turn/peer-connection.ts'
import { PeerPolicy } from '../../src/turn/peer-policy.ts'
import {
  codeOf,
  listening,
  peer6,
  peerA,
  peerB,
  relayAddress,
  type TurnClient,
  TurnHarness,
  text,
} from '../support/turn-harness.ts'

const tcp: Attribute = ['REQUESTED-TRANSPORT', 6]

function harnessWith(options: Partial<TurnServerOptions> = {}): TurnHarness {
  return new TurnHarness({ tcpRelay: true, ...options })
}

function allocate(client: TurnClient, more: readonly Attribute[] = []): TransportAddress {
  const relayed = client.request('Allocate', [tcp, ...more]).get('XOR-RELAYED-ADDRESS')
  if (relayed === undefined) throw new Error('no allocation')
  return relayed
}

/** Sends a Connect, whose answer comes later. The number under which the world has been asked for it. */
function startConnect(client: TurnClient, peer: TransportAddress): ConnectionId {
  client.nonce ??= client.challenge()
  client.harness.takeOutputs()
  client.raw(client.encode('Connect', [['XOR-PEER-ADDRESS', peer]]))
  const output = client.harness.outputs.find(({ type }) => type === 'connect-peer')
  if (output?.type !== 'connect-peer') throw new Error(`refused: ${codeOf(client.lastAnswer())}`)
  return output.connection
}

function connect(client: TurnClient, peer: TransportAddress): ConnectionId {
  const connection = startConnect(client, peer)
  client.harness.takeOutputs()
  client.harness.server.peerConnected(connection, client.harness.now)
  client.harness.drain()
  expect(client.lastAnswer()?.get('CONNECTION-ID')).toBe(connection)
  return connection
}

function accept(
  client: TurnClient,
  relayed: TransportAddress,
  peer: TransportAddress,
): ConnectionId | undefined {
  const { harness } = client
  harness.takeOutputs()
  const connection = harness.server.peerAccepted(client.relaySocketAt(relayed), peer, harness.now)
  harness.drain()
  return connection
}

/** A connection of the client's for data, and the answer to its ConnectionBind. */
function bind(harness: TurnHarness, connection: ConnectionId, user = 'alice', password = 'wonder') {
  const data = harness.streamClient('tcp', user, password)
  return { data, answer: data.request('ConnectionBind', [['CONNECTION-ID', connection]]) }
}

function types(harness: TurnHarness): string[] {
  return harness.takeOutputs().map(({ type }) => type)
}

function indication(output: ServerOutput | undefined): Message {
  if (output?.type !== 'transmit') throw new Error('no message')
  const message = decodeMessage(output.bytes)
  if (typeof message === 'string') throw new Error(message)
  return message
}

describe('Allocate for TCP (RFC 6062 §5.1)', () => {
  it('listens at the relayed transport address before it answers', () => {
    const harness = harnessWith()
    const relayed = allocate(harness.streamClient())
    expect(harness.outputs.map(({ type }) => type)).toEqual([
      'listen-relay',
      'allocation-created',
      'transmit',
    ])
    const [listen] = harness.outputs
    expect(listen?.type === 'listen-relay' && listen.address.equals(relayed)).toBe(true)
  })

  const refusals: [string, 'udp' | 'tcp' | 'tls', Attribute[], number][] = [
    ['by UDP', 'udp', [], 400],
    ['with DONT-FRAGMENT', 'tcp', [['DONT-FRAGMENT', true]], 400],
    ['with EVEN-PORT', 'tls', [['EVEN-PORT', { reserveNext: false }]], 400],
    ['with a reservation', 'tcp', [['RESERVATION-TOKEN', new Uint8Array(8)]], 400],
    ['of a family that does not exist', 'tcp', [['REQUESTED-ADDRESS-FAMILY', 9]], 440],
  ]
  it.each(refusals)('refuses one %s', (_, transport, attributes, code) => {
    const harness = harnessWith()
    const client = transport === 'udp' ? harness.client() : harness.streamClient(transport)
    expect(codeOf(client.request('Allocate', [tcp, ...attributes]))).toBe(code)
    expect(harness.relaySockets.size).toBe(0)
  })

  it('refuses it with 442 where TCP is not relayed, and says nothing to the other methods', () => {
    const client = new TurnHarness().streamClient()
    expect(codeOf(client.request('Allocate', [tcp]))).toBe(442)
    expect(client.exchange(client.encode('Connect', [['XOR-PEER-ADDRESS', peerA]]))).toBeUndefined()
    expect(client.exchange(client.encode('ConnectionBind', [['CONNECTION-ID', 1]]))).toBeUndefined()
  })

  it('tries another port when one is in use', () => {
    const harness = harnessWith()
    let refused = 3
    harness.bindPolicy = () => (refused-- > 0 ? 'EADDRINUSE' : undefined)
    allocate(harness.streamClient())
    expect(harness.relaySockets.size).toBe(1)
  })

  it('relays no datagrams', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    const relayed = allocate(client)
    client.permit(peerA)
    expect(codeOf(client.bindChannel(0x4000, peerA))).toBe(400)
    expect(client.sendIndication(peerA, text('no'))).toBeUndefined()
    // Nor does a client of UDP reach it by its address.
    const other = harness.client()
    other.allocate()
    other.permit(relayed)
    expect(other.sendIndication(relayed, text('no'))).toBeUndefined()
  })
})

describe('Connect (RFC 6062 §5.2)', () => {
  it('asks for a connection from the relayed transport address, and answers when it is there', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    const relayed = allocate(client)
    const connection = startConnect(client, peerA)
    expect(harness.takeOutputs()).toEqual([
      { type: 'connect-peer', connection, local: relayed, peer: peerA, timeoutMs: 30_000 },
    ])
    harness.server.peerConnected(connection, harness.now)
    harness.drain()
    expect(client.lastAnswer()).toMatchObject({ class: 'success', method: 'Connect' })
    expect(client.lastAnswer()?.get('CONNECTION-ID')).toBe(connection)
  })

  it('answers 447 when the peer cannot be reached, and lets it be tried again', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    allocate(client)
    const connection = startConnect(client, peerA)
    harness.takeOutputs()
    harness.server.peerFailed(connection)
    harness.drain()
    expect(codeOf(client.lastAnswer())).toBe(447)
    connect(client, peerA)
  })

  it('answers 446 while there is a connection with that peer, of whatever state', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    const relayed = allocate(client)
    const again = (peer = peerA) => codeOf(client.request('Connect', [['XOR-PEER-ADDRESS', peer]]))
    const connection = startConnect(client, peerA)
    expect(again()).toBe(446)
    harness.server.peerConnected(connection, harness.now)
    harness.drain()
    expect(again()).toBe(446)
    bind(harness, connection)
    expect(again()).toBe(446)
    client.permit(peerB)
    accept(client, relayed, peerB)
    expect(again(peerB)).toBe(446)
    harness.server.peerClosed(connection)
    connect(client, peerA)
    // Another port is another peer.
    connect(client, peerA.withPort(5001))
  })

  const refusals: [string, Attribute[], number][] = [
    ['no peer', [], 400],
    ['port 0', [['XOR-PEER-ADDRESS', peerA.withPort(0)]], 400],
    ['a peer of another family', [['XOR-PEER-ADDRESS', peer6]], 443],
    ['a private peer', [['XOR-PEER-ADDRESS', TransportAddress.of('10.0.0.1', 80)]], 403],
    ['loopback', [['XOR-PEER-ADDRESS', TransportAddress.of('127.0.0.1', 80)]], 403],
    ['a metadata service', [['XOR-PEER-ADDRESS', TransportAddress.of('169.254.169.254', 80)]], 403],
    ['the unspecified address', [['XOR-PEER-ADDRESS', TransportAddress.of('0.0.0.0', 80)]], 403],
    [
      'loopback in an IPv6 spelling',
      [['XOR-PEER-ADDRESS', TransportAddress.of('::ffff:127.0.0.1', 80)]],
      403,
    ],
    ['our own listening address', [['XOR-PEER-ADDRESS', listening]], 403],
    ['another service of this host', [['XOR-PEER-ADDRESS', relayAddress.withPort(22)]], 403],
    ['a relay port of ours that nobody has', [['XOR-PEER-ADDRESS', relayAddress.withPort(50_123)]], 403],
  ]
  it.each(refusals)('refuses %s', (_, attributes, code) => {
    const harness = harnessWith()
    const client = harness.streamClient()
    allocate(client)
    expect(codeOf(client.request('Connect', attributes))).toBe(code)
    expect(types(harness)).toEqual(['transmit'])
  })

  it('refuses a relayed address of ours that is of UDP', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    allocate(client)
    const relayed = harness.client().allocate()
    expect(codeOf(client.request('Connect', [['XOR-PEER-ADDRESS', relayed]]))).toBe(403)
  })

  it('answers 437 where there is no allocation, or one of UDP', () => {
    const harness = harnessWith()
    const peer: Attribute = ['XOR-PEER-ADDRESS', peerA]
    expect(codeOf(harness.streamClient().request('Connect', [peer]))).toBe(437)
    const client = harness.streamClient()
    client.allocate()
    expect(codeOf(client.request('Connect', [peer]))).toBe(437)
  })

  it('keeps an allocation to so many connections', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    const relayed = allocate(client)
    for (let i = 0; i < 64; i++) startConnect(client, peerA.withPort(1000 + i))
    expect(codeOf(client.request('Connect', [['XOR-PEER-ADDRESS', peerA]]))).toBe(508)
    client.permit(peerA)
    expect(accept(client, relayed, peerA)).toBeUndefined()
    expect(harness.server.counters.drops['no-room']).toBe(1)
    expect(harness.server.counters.peerConnections).toBe(64)
  })

  it('reaches another client of this server inside, where that listens', () => {
    const external = TransportAddress.of('198.51.100.77', 0)
    const harness = harnessWith({ relays: [{ address: relayAddress, external }] })
    const [left, right] = [harness.streamClient(), harness.streamClient()]
    const [leftRelayed, rightRelayed] = [allocate(left), allocate(right)]
    startConnect(left, rightRelayed)
    const leftLocal = relayAddress.withPort(leftRelayed.port)
    const rightLocal = relayAddress.withPort(rightRelayed.port)
    expect(harness.takeOutputs()).toMatchObject([
      { type: 'connect-peer', local: leftLocal, peer: rightLocal },
    ])
    // There it arrives under the address that the other one knows.
    right.permit(leftRelayed)
    harness.takeOutputs()
    expect(
      harness.server.peerAccepted(right.relaySocketAt(rightRelayed), leftLocal, harness.now),
    ).toBeDefined()
    harness.drain()
    expect(indication(harness.outputs[0]).get('XOR-PEER-ADDRESS')).toEqual(leftRelayed)
  })
})

describe('a peer that connects (RFC 6062 §5.3)', () => {
  it('is told to the client by a ConnectionAttempt', () => {
    const harness = harnessWith()
    const client = harness.streamClient('tls')
    const relayed = allocate(client)
    client.permit(peerA)
    const connection = accept(client, relayed, peerA)
    const outputs = harness.takeOutputs()
    expect(outputs).toMatchObject([{ type: 'transmit', socket: client.socket, destination: client.address }])
    const message = indication(outputs[0])
    expect(message).toMatchObject({ class: 'indication', method: 'ConnectionAttempt' })
    expect(message.get('CONNECTION-ID')).toBe(connection)
    expect(message.get('XOR-PEER-ADDRESS')).toEqual(peerA)
  })

  it('is turned away without a permission, with one that has run out, and where peers are refused', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    const relayed = allocate(client)
    expect(accept(client, relayed, peerA)).toBeUndefined()
    client.permit(peerA)
    harness.elapse(301)
    expect(accept(client, relayed, peerA)).toBeUndefined()
    expect(types(harness)).toEqual([])
    expect(accept(client, relayed, TransportAddress.of('10.0.0.1', 80))).toBeUndefined()
    expect(accept(client, relayed, relayAddress.withPort(22))).toBeUndefined()
    expect(harness.server.counters.peerConnections).toBe(0)
  })

  it('is turned away when the policy has forbidden it since it was permitted', () => {
    const denied = TransportAddress.of('8.8.8.8', 9)
    const peerPolicy = new PeerPolicy({ allow: [], deny: [] })
    const harness = harnessWith({ peerPolicy })
    const client = harness.streamClient()
    const relayed = allocate(client)
    client.permit(denied)
    peerPolicy.allows = () => false
    expect(accept(client, relayed, denied)).toBeUndefined()
  })

  it('stands in for a connection of ours to it that is under way', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    const relayed = allocate(client)
    client.permit(peerA)
    const ours = startConnect(client, peerA)
    const theirs = accept(client, relayed, peerA)
    expect(theirs).toBeDefined()
    harness.server.peerFailed(ours)
    harness.drain()
    expect(codeOf(bind(harness, theirs!).answer)).toBeUndefined()
    // Two from one peer are one too many.
    expect(accept(client, relayed, peerA)).toBeUndefined()
  })

  it('has to be at a relay socket of TCP', () => {
    const harness = harnessWith()
    expect(harness.server.peerAccepted(socketId(0x10000), peerA, harness.now)).toBeUndefined()
  })
})

describe('ConnectionBind (RFC 6062 §5.4)', () => {
  it('is answered, and then the connections are joined', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    const relayed = allocate(client)
    client.permit(peerB)
    for (const connection of [connect(client, peerA), accept(client, relayed, peerB)!]) {
      const { data, answer } = bind(harness, connection)
      expect(answer).toMatchObject({ class: 'success', method: 'ConnectionBind' })
      expect(harness.outputs.map(({ type }) => type)).toEqual(['transmit', 'bind-peer'])
      expect(harness.outputs[1]).toEqual({ type: 'bind-peer', connection, stream: data.socket })
    }
  })

  it('takes the nonce of the control connection', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    allocate(client)
    const connection = connect(client, peerA)
    const data = harness.streamClient()
    data.nonce = client.nonce
    expect(codeOf(data.request('ConnectionBind', [['CONNECTION-ID', connection]]))).toBeUndefined()
    // For nothing else, though.
    const other = harness.streamClient()
    other.nonce = client.nonce
    expect(codeOf(other.request('Allocate', [tcp]))).toBe(438)
    expect(codeOf(other.request('ConnectionBind', [['CONNECTION-ID', connection ^ 1]]))).toBe(438)
  })

  it('is refused by UDP, without a number, and with a number of nobody', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    allocate(client)
    const connection: Attribute = ['CONNECTION-ID', connect(client, peerA)]
    expect(codeOf(harness.client().request('ConnectionBind', [connection]))).toBe(400)
    expect(codeOf(harness.streamClient().request('ConnectionBind'))).toBe(400)
    expect(codeOf(harness.streamClient().request('ConnectionBind', [['CONNECTION-ID', 1]]))).toBe(400)
    expect(codeOf(client.request('ConnectionBind', [connection]))).toBe(400)
  })

  it('is refused before the peer has answered, and a second time', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    allocate(client)
    const connection = startConnect(client, peerA)
    expect(codeOf(bind(harness, connection).answer)).toBe(400)
    harness.server.peerConnected(connection, harness.now)
    const { data } = bind(harness, connection)
    expect(codeOf(bind(harness, connection).answer)).toBe(400)
    expect(codeOf(data.request('ConnectionBind', [['CONNECTION-ID', connection]]))).toBe(400)
  })

  it('is refused to another user, whatever number that has guessed', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    allocate(client)
    const connection = connect(client, peerA)
    expect(codeOf(bind(harness, connection, 'bob', 'builder').answer)).toBe(441)
    expect(codeOf(bind(harness, connection).answer)).toBeUndefined()
  })

  it('comes too late after 30 seconds: the connection is closed', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    const relayed = allocate(client)
    client.permit(peerB)
    const ours = connect(client, peerA)
    const theirs = accept(client, relayed, peerB)!
    harness.takeOutputs()
    harness.elapse(29)
    expect(types(harness)).toEqual([])
    harness.elapse(2)
    expect(harness.takeOutputs()).toEqual([
      { type: 'close-peer', connection: ours },
      { type: 'close-peer', connection: theirs },
    ])
    expect(codeOf(bind(harness, ours).answer)).toBe(400)
    expect(harness.server.counters.peerConnections).toBe(0)
  })

  it('has all the time of the allocation once it is done', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    allocate(client)
    bind(harness, connect(client, peerA))
    harness.takeOutputs()
    harness.elapse(500)
    expect(types(harness)).toEqual([])
  })
})

describe('the end of a connection with a peer (RFC 6062 §5.5)', () => {
  const ends: [string, (client: TurnClient, data: TurnClient) => void, string[]][] = [
    [
      'its allocation is released',
      (client) => client.request('Refresh', [['LIFETIME', 0]]),
      ['close-peer', 'close-relay', 'allocation-ended', 'transmit'],
    ],
    [
      'its allocation runs out',
      ({ harness }) => harness.elapse(601),
      ['close-peer', 'close-relay', 'allocation-ended'],
    ],
    [
      'the control connection is closed',
      ({ harness, socket, address }) => harness.server.streamClosed(socket, address),
      ['close-peer', 'close-relay', 'allocation-ended'],
    ],
    [
      'the server stops',
      ({ harness }) => harness.server.closeAll(),
      ['close-peer', 'close-relay', 'allocation-ended'],
    ],
    [
      "the client's data connection is closed",
      ({ harness }, data) => harness.server.streamClosed(data.socket, data.address),
      ['close-peer'],
    ],
  ]
  it.each(ends)('comes when %s', (_, end, expected) => {
    const harness = harnessWith()
    const client = harness.streamClient()
    allocate(client)
    const { data } = bind(harness, connect(client, peerA))
    harness.takeOutputs()
    end(client, data)
    harness.drain()
    expect(types(harness)).toEqual(expected)
    expect(harness.server.counters.peerConnections).toBe(0)
  })

  it('is an error to a Connect that still waits', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    allocate(client)
    const connection = startConnect(client, peerA)
    harness.takeOutputs()
    harness.elapse(601)
    expect(types(harness)).toEqual(['close-peer', 'transmit', 'close-relay', 'allocation-ended'])
    harness.server.peerConnected(connection, harness.now)
    harness.server.peerFailed(connection)
    harness.server.peerClosed(connection)
    harness.drain()
    expect(types(harness)).toEqual([])
  })
})

describe('data on connections with peers', () => {
  it('is counted for the allocation', () => {
    const harness = harnessWith()
    const client = harness.streamClient()
    allocate(client)
    const connection = connect(client, peerA)
    bind(harness, connection)
    expect(harness.server.peerData(connection, 1000, 0, harness.now)).toBe(0)
    expect(harness.server.peerData(connection, 0, 300, harness.now)).toBe(0)
    expect(harness.server.peerData(connection ^ 1, 5, 5, harness.now)).toBe(0)
    harness.server.closeAll()
    harness.drain()
    const ended = harness.outputs.find(({ type }) => type === 'allocation-ended')
    expect(ended).toMatchObject({ allocation: { bytesFromClient: 1000, bytesToClient: 300 } })
  })

  it('is held back where the allocation is over its bandwidth', () => {
    const harness = harnessWith({ maxBytesPerSecond: 1000 })
    const client = harness.streamClient()
    allocate(client)
    const connection = connect(client, peerA)
    bind(harness, connection)
    expect(harness.server.peerData(connection, 1000, 0, harness.now)).toBe(0)
    expect(harness.server.peerData(connection, 500, 0, harness.now)).toBe(500)
    expect(harness.server.peerData(connection, 0, 500, harness.now)).toBe(0)
    harness.elapse(1)
    expect(harness.server.peerData(connection, 100, 0, harness.now)).toBe(0)
  })
})
