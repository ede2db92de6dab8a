/** Connections by TCP and TLS, and how long they may last, in virtual time. */

import { describe, expect, it } from 'vitest'
import { Recorder } from '../support/probe-stream.ts'
import { channelData } from '../support/stream-speaker.ts'
import { type StreamClient, StreamWorld } from '../support/stream-world.ts'
import { Peer } from '../support/turn-world.ts'

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

function newPeer({ internet }: StreamWorld): Peer {
  const host = internet.host()
  return new Peer(host, host.address(7000))
}

describe.each(['tcp', 'tls'] as const)('a client that comes by %s', (transport) => {
  it('is told its address, allocates, and is relayed for', async () => {
    const world = await new StreamWorld().start()
    const client = world.connect(transport)
    expect(client.bind().toString()).toBe(client.socket.local.toString())
    const relayed = client.allocate()
    const peer = newPeer(world)
    client.bindChannel(0x4000, peer.address)
    for (const data of ['a', 'bc', 'def', 'ghij']) client.socket.write(channelData(0x4000, text(data)))
    world.run(1000)
    expect(peer.received).toEqual(
      ['a', 'bc', 'def', 'ghij'].map((data) => ({ from: `${relayed}`, text: data })),
    )
    const echoes = client.received.slice(-4).map((bytes) => new TextDecoder().decode(bytes.subarray(4)))
    expect(echoes).toEqual(['a', 'bc', 'def', 'ghij'])
  })

  it('is named with its transport at the start and the end of its allocation', async () => {
    const world = await new StreamWorld().start()
    const client = world.connect(transport)
    const relayed = client.allocate()
    expect(world.logged('allocation started')).toMatchObject([
      { transport, client: `${client.socket.local}`, relayed: `${relayed}`, user: 'alice' },
    ])
    client.request('Refresh', [['LIFETIME', 0]])
    expect(world.logged('allocation ended')).toMatchObject([{ transport, reason: 'released' }])
  })

  it('loses its allocation at once when it ends its connection, or breaks it off', async () => {
    const world = await new StreamWorld().start()
    for (const leave of [(c: StreamClient) => c.socket.end(), (c: StreamClient) => c.socket.close()]) {
      const client = world.connect(transport)
      client.allocate()
      expect(world.server.counters.allocations).toBe(1)
      leave(client)
      world.run(100)
      expect(world.server.counters.allocations).toBe(0)
      expect(world.server.streamCounters.connections).toBe(0)
    }
    expect(world.logged('allocation ended').map(({ reason }) => reason)).toEqual([
      'disconnected',
      'disconnected',
    ])
  })

  it('is disconnected when it has sent no message in 10 seconds', async () => {
    const world = await new StreamWorld().start()
    const start = world.serverHost.clock.now()
    const client = world.connect(transport)
    world.run(60_000)
    expect(client.isOver).toBe(true)
    expect(client.overAt - start).toBeGreaterThan(10_000)
    expect(client.overAt - start).toBeLessThan(11_000)
    expect(world.server.streamCounters.closed['no-message']).toBe(1)
  })

  it('is disconnected after 10 seconds, however slowly its first message comes', async () => {
    const world = await new StreamWorld().start({ handshakeTimeout: 10 })
    const client = world.connect(transport)
    const start = world.serverHost.clock.now()
    // A message that announces 65,532 bytes, one byte a second.
    const bytes = client.encode('Binding', [], false).slice()
    bytes.set([0xff, 0xfc], 2)
    for (let i = 0; i < 20; i++)
      world.internet.at(start + i * 1000, () => client.socket.write(Uint8Array.of(bytes[i]!)))
    world.run(60_000)
    expect(client.overAt - start).toBeLessThan(11_000)
  })

  it('is disconnected when it has been silent for a minute without an allocation', async () => {
    const world = await new StreamWorld().start()
    const client = world.connect(transport)
    client.bind()
    world.run(50_000)
    client.bind()
    world.run(55_000)
    expect(client.isOver).toBe(false)
    world.run(6000)
    expect(client.isOver).toBe(true)
    expect(world.server.streamCounters.closed.idle).toBe(1)
  })

  it('may be silent for as long as it has an allocation, and a minute longer', async () => {
    const world = await new StreamWorld().start()
    const client = world.connect(transport)
    client.allocate([['LIFETIME', 1200]])
    world.run(1_190_000)
    expect(client.isOver).toBe(false)
    world.run(130_000)
    expect(client.isOver).toBe(true)
    expect(world.logged('allocation ended')).toMatchObject([{ reason: 'expired' }])
  })
})

describe('a server of TCP and TLS clients', () => {
  it('serves clients that take turns on the same kind of connection without mixing them up', async () => {
    const world = await new StreamWorld().start()
    const clients = [world.connect('tcp'), world.connect('tls'), world.connect('tcp')]
    const peers = clients.map(() => newPeer(world))
    const relayed = clients.map((client) => client.allocate())
    for (const [i, client] of clients.entries()) client.bindChannel(0x4000, peers[i]!.address)
    const halves = clients.map((_, i) => channelData(0x4000, text(`data of client ${i}`)))
    for (const [i, client] of clients.entries()) client.socket.write(halves[i]!.slice(0, 7))
    world.run(100)
    for (const [i, client] of clients.entries()) client.socket.write(halves[i]!.slice(7))
    world.run(1000)
    for (const [i, peer] of peers.entries()) {
      expect(peer.received).toEqual([{ from: `${relayed[i]}`, text: `data of client ${i}` }])
    }
  })

  it('relays between its clients, by whatever transports they come', async () => {
    const world = await new StreamWorld().start()
    const [left, right] = [world.connect('tcp'), world.connect('tls')]
    const [leftRelayed, rightRelayed] = [left.allocate(), right.allocate()]
    left.bindChannel(0x4000, rightRelayed)
    right.bindChannel(0x4001, leftRelayed)
    left.socket.write(channelData(0x4000, text('hello')))
    world.run(100)
    expect(right.received.at(-1)).toEqual(channelData(0x4001, text('hello')).subarray(0, 9))
  })

  const strangers: [string, Uint8Array, string][] = [
    ['HTTP', text('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n'), 'not-turn'],
    ['a TLS handshake on the TCP port', Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1), 'not-turn'],
    ['SSH', text('SSH-2.0-OpenSSH_10.0\r\n'), 'not-turn'],
    ['noise', Uint8Array.of(0xff, 0xff, 0xff, 0xff), 'not-turn'],
    ['a length that no message has', Uint8Array.of(0, 1, 0, 7), 'wrong-length'],
    ['a message without the cookie', Uint8Array.of(0, 1, 0, 0, 1, 2, 3, 4), 'wrong-cookie'],
  ]
  it.each(strangers)(
    'disconnects who speaks something else, without an answer: %s',
    async (_, bytes, fault) => {
      const world = await new StreamWorld().start()
      const client = world.connect()
      client.socket.write(bytes)
      world.run(200)
      expect(client.isOver).toBe(true)
      expect(client.recorder.bytes).toBe(0)
      expect(world.server.streamCounters.closed).toMatchObject({ [fault]: 1 })
      expect(world.logged('connection ended')).toMatchObject([{ transport: 'tcp', reason: fault }])
    },
  )

  it('serves the messages that come before a fault, and ends the allocation with the connection', async () => {
    const world = await new StreamWorld().start()
    const client = world.connect()
    client.allocate()
    client.socket.write(Uint8Array.of(...client.encode('Binding', [], false), 0x99))
    world.run(200)
    expect(client.received).toHaveLength(3)
    expect(world.server.counters.allocations).toBe(0)
  })

  it('takes so many connections from one address, and others from others', async () => {
    const world = await new StreamWorld().start({ connectionsPerAddress: 3 })
    const host = world.internet.host()
    const clients = (['tcp', 'tls', 'tcp'] as const).map((transport) => world.connect(transport, host))
    for (const client of clients) client.bind()
    for (const transport of ['tcp', 'tls'] as const) {
      const refused = world.connect(transport, host)
      world.run(1000)
      expect(refused.isOver).toBe(true)
    }
    expect(world.server.streamCounters.refused).toBe(2)
    world.connect().bind()
    clients[0]!.socket.close()
    world.run(1000)
    world.connect('tcp', host).bind()
  })

  it('counts what becomes of connections, and forgets none', async () => {
    const world = await new StreamWorld().start({ connectionsPerAddress: 1 })
    const host = world.internet.host()
    for (let i = 0; i < 5; i++) {
      const client = world.connect(i % 2 === 0 ? 'tcp' : 'tls', host)
      if (i > 2) client.allocate()
      if (i === 1) client.socket.write(text('what?'))
      else client.socket.close()
      world.run(1000)
    }
    expect(world.server.streamCounters).toMatchObject({ connections: 0, accepted: 5, refused: 0 })
    expect(world.server.counters.allocations).toBe(0)
  })

  it('lets a TLS handshake take 10 seconds', async () => {
    const world = await new StreamWorld().start({ connectionsPerAddress: 1 })
    const host = world.internet.host()
    // A TCP connection to the TLS port that says nothing.
    const recorder = new Recorder(host)
    host.connectTcp({ remote: world.serverHost.address(5349), timeoutMs: 30_000 }, recorder)
    world.run(9000)
    expect(recorder.lines).toHaveLength(1)
    world.run(2000)
    expect(recorder.lines).toHaveLength(2)
    expect(world.server.streamCounters.handshakeFailures).toBe(1)
    // Its place is free again.
    world.connect('tls', host).bind()
  })

  it('leaves nothing behind when it closes', async () => {
    const world = await new StreamWorld().start()
    const clients = [world.connect('tcp'), world.connect('tls')]
    for (const client of clients) client.allocate()
    world.server.close()
    world.run(1000)
    for (const client of clients) expect(client.isOver).toBe(true)
    expect(world.logged('allocation ended').map(({ reason }) => reason)).toEqual(['shutdown', 'shutdown'])
    // Nothing is left to happen.
    world.internet.run()
  })
})
