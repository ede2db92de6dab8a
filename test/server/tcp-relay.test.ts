/** RFC 6062 through a whole server, in virtual time: what goes in at one end comes out at the other. */

import { describe, expect, it } from 'vitest'
import type { StreamSocket } from '../../src/core/host.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { listen, Recorder } from '../support/probe-stream.ts'
import { type StreamClient, StreamWorld } from '../support/stream-world.ts'

const tcp: Attribute = ['REQUESTED-TRANSPORT', 6]

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255)
}

async function start() {
  const world = await new StreamWorld().start({ tcpRelay: true })
  const client = world.connect()
  const relayed = client.request('Allocate', [tcp]).get('XOR-RELAYED-ADDRESS')!
  const peerHost = world.internet.host()
  return { world, client, relayed, peerHost }
}

type Setting = Awaited<ReturnType<typeof start>>

/** The client's connection for data, bound. */
function bind({ world }: Setting, connection: number, transport: 'tcp' | 'tls' = 'tcp'): StreamClient {
  const data = world.connect(transport)
  const answer = data.request('ConnectionBind', [['CONNECTION-ID', connection]])
  expect(answer.class).toBe('success')
  return data
}

/** A connection to a peer that listens: the client's end and the peer's. */
function connectActively(setting: Setting, transport: 'tcp' | 'tls' = 'tcp') {
  const { world, client, peerHost } = setting
  const listening = listen(peerHost, 7000)
  const answer = client.request('Connect', [['XOR-PEER-ADDRESS', peerHost.address(7000)]])
  const data = bind(setting, answer.get('CONNECTION-ID')!, transport)
  world.run(1000)
  const [peer] = listening.streams
  return { data, peer: peer! }
}

/** The bytes that a recorder hears, whole. */
function collect(recorder: Recorder): { all(): Buffer } {
  const chunks: Uint8Array[] = []
  recorder.onData = (chunk) => chunks.push(chunk.slice())
  return { all: () => Buffer.concat(chunks) }
}

describe('a connection to a peer', () => {
  it('comes from the relayed transport address, and carries bytes as they are, both ways', async () => {
    const setting = await start()
    for (const transport of ['tcp', 'tls'] as const) {
      setting.peerHost = setting.world.internet.host()
      const { data, peer } = connectActively(setting, transport)
      expect(peer.stream.remote.toString()).toBe(setting.relayed.toString())
      const [up, down] = [collect(peer.recorder), collect(data.recorder)]
      // Also what looks like messages.
      const message = data.encode('Binding', [], false)
      data.socket.write(message)
      data.socket.write(bytes(100_000))
      peer.stream.write(bytes(50_000))
      setting.world.run(5000)
      expect(up.all().equals(Buffer.concat([message, bytes(100_000)]))).toBe(true)
      expect(down.all().equals(Buffer.from(bytes(50_000)))).toBe(true)
    }
  })

  it('delivers what the peer had sent before the client came for it', async () => {
    const setting = await start()
    const { world, client, peerHost } = setting
    const listening = listen(peerHost, 7000)
    const answer = client.request('Connect', [['XOR-PEER-ADDRESS', peerHost.address(7000)]])
    listening.streams[0]!.stream.write(bytes(3000))
    world.run(20_000)
    const data = world.connect()
    const heard = collect(data.recorder)
    data.socket.write(data.encode('ConnectionBind', [], false))
    world.run(500)
    // Its challenge has been heard raw; from the success on it is the peer's bytes.
    const before = heard.all().length
    data.recorder.onData = () => {}
    const bound = bind(setting, answer.get('CONNECTION-ID')!)
    expect(before).toBeGreaterThan(0)
    const after = collect(bound.recorder)
    world.run(1000)
    const received = bound.received.length
    // What came in the same segment as the answer has gone into the framer of the test's client.
    expect(after.all().length + received).toBeGreaterThan(0)
    expect(world.server.counters.bytesToClient).toBe(3000)
  })

  it('may carry data that comes right behind the ConnectionBind', async () => {
    const setting = await start()
    const { world, client, peerHost } = setting
    const listening = listen(peerHost, 7000)
    const answer = client.request('Connect', [['XOR-PEER-ADDRESS', peerHost.address(7000)]])
    const up = collect(listening.streams[0]!.recorder)
    const data = world.connect()
    data.request('ConnectionBind', [['CONNECTION-ID', 1]])
    const request = data.encode('ConnectionBind', [['CONNECTION-ID', answer.get('CONNECTION-ID')!]])
    data.socket.write(Uint8Array.of(...request, ...bytes(999)))
    world.run(2000)
    expect(up.all().equals(Buffer.from(bytes(999)))).toBe(true)
  })

  it('is refused with 447 when nobody listens there, after 30 seconds when nobody answers', async () => {
    const { world, client, peerHost } = await start()
    const refused = client.request('Connect', [['XOR-PEER-ADDRESS', peerHost.address(9)]])
    expect(refused.get('ERROR-CODE')?.code).toBe(447)
    const silent = TransportAddress.of('93.184.216.34', 80)
    const from = world.serverHost.clock.now()
    client.socket.write(client.encode('Connect', [['XOR-PEER-ADDRESS', silent]]))
    const before = client.received.length
    world.internet.run({ until: () => client.received.length > before, for: 60_000 })
    const message = decodeMessage(client.received.at(-1)!)
    expect(typeof message !== 'string' && message.get('ERROR-CODE')?.code).toBe(447)
    expect(world.serverHost.clock.now() - from).toBeGreaterThanOrEqual(30_000)
    expect(world.serverHost.clock.now() - from).toBeLessThan(32_000)
  })
})

describe('a connection from a peer', () => {
  async function passive() {
    const setting = await start()
    const { world, client, relayed, peerHost } = setting
    client.request('CreatePermission', [['XOR-PEER-ADDRESS', peerHost.address(0)]])
    const recorder = new Recorder(peerHost)
    const stream = peerHost.connectTcp({ remote: relayed, timeoutMs: 10_000 }, recorder)
    world.run(1000)
    return { setting, recorder, stream }
  }

  it('is told to the client, which comes for it', async () => {
    const { setting, recorder, stream } = await passive()
    const attempt = decodeMessage(setting.client.received.at(-1)!)
    if (typeof attempt === 'string') throw new Error(attempt)
    expect(attempt).toMatchObject({ class: 'indication', method: 'ConnectionAttempt' })
    expect(attempt.get('XOR-PEER-ADDRESS')?.toString()).toBe(stream.local.toString())
    const data = bind(setting, attempt.get('CONNECTION-ID')!)
    const [up, down] = [collect(recorder), collect(data.recorder)]
    data.socket.write(bytes(5000))
    stream.write(bytes(70_000))
    setting.world.run(3000)
    expect(up.all().equals(Buffer.from(bytes(5000)))).toBe(true)
    expect(down.all().equals(Buffer.from(bytes(70_000)))).toBe(true)
  })

  it('is closed after 30 seconds when the client does not come for it, and takes little of us until then', async () => {
    const { setting, recorder, stream } = await passive()
    stream.write(bytes(3_000_000))
    setting.world.run(10_000)
    // It has been told to stop: what it has sent is in the buffers of TCP, and the rest is still with it.
    expect(stream.pendingBytes).toBeGreaterThan(1_000_000)
    setting.world.run(25_000)
    expect(recorder.lines.at(-1)).toMatch(/closed|ended/)
    expect(setting.world.server.counters.peerConnections).toBe(0)
  })

  it('is closed at once without a permission', async () => {
    const { world, relayed } = await start()
    const stranger = world.internet.host()
    const recorder = new Recorder(stranger)
    stranger.connectTcp({ remote: relayed, timeoutMs: 10_000 }, recorder)
    world.run(500)
    expect(recorder.lines.at(-1)).toMatch(/closed|ended/)
    expect(world.server.counters.drops['no-permission']).toBe(1)
  })
})

describe('a pair of connections', () => {
  it('holds up the sender when the receiver does not read, whichever that is', async () => {
    const setting = await start()
    const { data, peer } = connectActively(setting)
    const sides: [StreamSocket, StreamSocket, Recorder][] = [
      [data.socket, peer.stream, peer.recorder],
      [peer.stream, data.socket, data.recorder],
    ]
    for (const [sender, receiver, recorder] of sides) {
      const before = recorder.bytes
      receiver.pause()
      sender.write(bytes(4_000_000))
      setting.world.run(30_000)
      // All but what is in buffers under way, and what the sender's probes of the closed window carry.
      expect(sender.pendingBytes).toBeGreaterThan(2_500_000)
      receiver.resume()
      setting.world.run(60_000)
      expect(recorder.bytes - before).toBe(4_000_000)
    }
  })

  it('ends in order on both sides, all bytes delivered', async () => {
    const setting = await start()
    const { data, peer } = connectActively(setting)
    data.socket.write(bytes(20_000))
    data.socket.end()
    setting.world.run(2000)
    expect(peer.recorder.lines.at(-1)).toMatch(/ended/)
    expect(peer.recorder.bytes).toBe(20_000)
    const before = data.recorder.bytes
    peer.stream.write(bytes(30_000))
    peer.stream.end()
    setting.world.run(5000)
    expect(data.recorder.bytes - before).toBe(30_000)
    expect(peer.recorder.lines.at(-1)).toMatch(/closed undefined/)
    expect(setting.world.server.counters.peerConnections).toBe(0)
    expect(setting.world.server.streamCounters.connections).toBe(1)
  })

  it('does not wait for ever for the other side to end', async () => {
    const setting = await start()
    const { data, peer } = connectActively(setting)
    data.socket.end()
    // As long as something comes, it goes on.
    for (let i = 0; i < 5; i++) {
      peer.stream.write(bytes(10))
      setting.world.run(40_000)
      expect(setting.world.server.counters.peerConnections).toBe(1)
    }
    setting.world.run(130_000)
    expect(peer.recorder.lines.at(-1)).toMatch(/closed|ended/)
    expect(setting.world.server.counters.peerConnections).toBe(0)
  })

  const breaks: [string, (pair: ReturnType<typeof connectActively>, setting: Setting) => void][] = [
    ['the peer breaks off', ({ peer }) => peer.stream.close()],
    ['the client breaks off', ({ data }) => data.socket.close()],
    ['the allocation is released', (_, { client }) => void client.request('Refresh', [['LIFETIME', 0]])],
    ['the control connection ends', (_, { client }) => client.socket.end()],
  ]
  it.each(breaks)('is closed on both sides when %s', async (_, end) => {
    const setting = await start()
    const pair = connectActively(setting)
    end(pair, setting)
    setting.world.run(130_000)
    const { counters, streamCounters } = setting.world.server
    expect(counters.peerConnections).toBe(0)
    expect(streamCounters.connections).toBeLessThanOrEqual(1)
    const closed = [pair.data.isOver, pair.peer.recorder.lines.some((line) => /ended|closed/.test(line))]
    expect(closed).toContain(true)
  })

  it('is not idle, however long it is silent', async () => {
    const setting = await start()
    const { data, peer } = connectActively(setting)
    for (let minute = 0; minute < 15; minute++) {
      setting.world.run(60_000)
      setting.client.request('Refresh', [['LIFETIME', 600]])
    }
    expect(data.isOver).toBe(false)
    data.socket.write(bytes(3))
    setting.world.run(500)
    expect(peer.recorder.bytes).toBe(3)
  })

  it('keeps to the bandwidth of its allocation', async () => {
    const world = await new StreamWorld().start({ tcpRelay: true, maxBytesPerSecond: 50_000 })
    const client = world.connect()
    const relayed = client.request('Allocate', [tcp]).get('XOR-RELAYED-ADDRESS')!
    const setting = { world, client, relayed, peerHost: world.internet.host() }
    const { data, peer } = connectActively(setting)
    data.socket.write(bytes(1_000_000))
    world.run(10_000)
    expect(peer.recorder.bytes).toBeGreaterThan(300_000)
    expect(peer.recorder.bytes).toBeLessThan(700_000)
    world.run(20_000)
    expect(peer.recorder.bytes).toBe(1_000_000)
  })
})

it('two clients of one server connect to each other, one way or both at once', async () => {
  const world = await new StreamWorld().start({ tcpRelay: true })
  const [left, right] = [world.connect(), world.connect('tls')]
  const [leftRelayed, rightRelayed] = [left, right].map(
    (client) => client.request('Allocate', [tcp]).get('XOR-RELAYED-ADDRESS')!,
  )
  for (const [client, peer] of [
    [left, rightRelayed],
    [right, leftRelayed],
  ] as const) {
    client.request('CreatePermission', [['XOR-PEER-ADDRESS', peer!]])
  }
  left.socket.write(left.encode('Connect', [['XOR-PEER-ADDRESS', rightRelayed!]]))
  right.socket.write(right.encode('Connect', [['XOR-PEER-ADDRESS', leftRelayed!]]))
  world.run(5000)
  const numbers = [left, right].map((client) => {
    for (const message of client.received.map((whole) => decodeMessage(whole)).reverse()) {
      const id = typeof message === 'string' ? undefined : message.get('CONNECTION-ID')
      if (id !== undefined) return id
    }
    throw new Error('no connection')
  })
  const ends = numbers.map((id) => {
    const data = world.connect()
    expect(data.request('ConnectionBind', [['CONNECTION-ID', id]]).class).toBe('success')
    return data
  })
  ends[0]!.socket.write(bytes(1234))
  world.run(1000)
  expect(ends[1]!.recorder.bytes).toBeGreaterThanOrEqual(1234)
})

it('a server without TCP relaying refuses to start with it where ports cannot be shared', async () => {
  const world = new StreamWorld()
  const { serverHost } = world
  const listenTcp = serverHost.listenTcp.bind(serverHost)
  serverHost.listenTcp = (options, handlers) => {
    if (options.isShared !== true) return listenTcp(options, handlers)
    world.internet.at(serverHost.clock.now(), () => handlers.failed('ENOTSUP'))
    return { setCertificates: () => {}, close: () => {} }
  }
  await expect(world.start({ tcpRelay: true })).rejects.toThrow(/--tcp-relay: it takes Linux and Node.js 26/)
})
