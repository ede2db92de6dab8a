/** Clients by TCP that do harm, over real sockets: what they cost, and that others do not notice. */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { RunningServer } from '../../src/server/server.ts'
import { RealStreamClient, startStreamServer } from '../support/real-streams.ts'
import { median } from '../support/round-trips.ts'
import { channelData } from '../support/stream-speaker.ts'
import { until } from '../support/until.ts'

const cleanUps: (() => void)[] = []
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp()
})

async function start(more: Parameters<typeof startStreamServer>[0] = {}): Promise<RunningServer> {
  const server = await startStreamServer(more)
  cleanUps.push(() => server.close())
  return server
}

function connectTo(server: RunningServer, localAddress?: string): RealStreamClient {
  const client = new RealStreamClient(server.listeners[0]!.address.port, localAddress)
  cleanUps.push(() => client.socket.destroy())
  return client
}

async function peerSocket(): Promise<{ socket: Socket; address: TransportAddress }> {
  const socket = createSocket('udp4')
  cleanUps.push(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { socket, address: TransportAddress.of('127.0.0.1', socket.address().port) }
}

/** Sends so much, a few packets a turn, so that this process can do its other work. */
async function flood(peer: Socket, destination: TransportAddress, bytes: number): Promise<void> {
  const packet = new Uint8Array(1200)
  for (let sent = 0; sent < bytes; ) {
    for (let i = 0; i < 16; i++, sent += packet.length) peer.send(packet, destination.port, destination.ip)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** A packet there and back through the server; false when it was lost on the way, as datagrams may be. */
async function echoes(client: RealStreamClient, number: number): Promise<boolean> {
  const before = client.received.length
  client.socket.write(channelData(number, new TextEncoder().encode('are you there?')))
  const timeout = new Promise((resolve) => setTimeout(resolve, 2000))
  await Promise.race([once(client.socket, 'data'), timeout])
  return client.received.length > before
}

it('a client that never reads gets whole messages, others are dropped, and it is served on when it reads again', async () => {
  const server = await start()
  const [bad, good] = [connectTo(server), connectTo(server)]
  const [flooder, echo] = [await peerSocket(), await peerSocket()]
  echo.socket.on('message', (bytes, { port, address }) => echo.socket.send(bytes, port, address))
  const relayed = await bad.allocate()
  await bad.bindChannel(0x4000, flooder.address)
  await good.allocate()
  await good.bindChannel(0x4000, echo.address)
  bad.socket.pause()
  const flooding = flood(flooder.socket, relayed, 16 * 1024 * 1024).then(() => 'over')
  let served = 0
  while ((await Promise.race([flooding, new Promise((resolve) => setTimeout(resolve, 20))])) !== 'over') {
    if (await echoes(good, 0x4000)) served++
  }
  expect(served).toBeGreaterThan(0)
  expect(server.streamCounters.messagesDropped).toBeGreaterThan(1000)
  // What it did get is whole messages, in order, and it is served on when it reads again.
  bad.socket.write(bad.encode('Refresh', []))
  bad.socket.resume()
  const isRefreshed = (bytes: Uint8Array) => bytes[0] === 1 && bytes[1] === 4
  while (!bad.received.some(isRefreshed)) await once(bad.socket, 'data')
  const data = bad.received.filter((bytes) => bytes[0] === 0x40)
  expect(data.length).toBeGreaterThan(100)
  expect(data.every((bytes) => bytes.length === 1204)).toBe(true)
})

/** The turns of the event loop until a new client has its allocation, twice there and back; the median of several. */
async function turnsToAllocate(server: RunningServer, everyTurn: () => void): Promise<number> {
  const counts: number[] = []
  for (let i = 0; i < 9; i++) {
    const client = connectTo(server, '127.0.0.2')
    let isOver = false
    const allocating = client.allocate().finally(() => {
      isOver = true
    })
    let turns = 0
    for (; !isOver; turns++) {
      everyTurn()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await allocating
    counts.push(turns)
    client.socket.destroy()
  }
  return median(counts)
}

it('500 clients that send a byte now and then cost a good one no more turns of the event loop', async () => {
  const server = await start({ handshakeTimeout: 300 })
  const alone = await turnsToAllocate(server, () => {})
  const dribblers = Array.from({ length: 500 }, () => connectTo(server))
  await until(() => server.streamCounters.connections >= 500, 'the connections')
  // Ten of them in each turn, so that always one or another has sent something.
  let next = 0
  const beside = await turnsToAllocate(server, () => {
    for (let i = 0; i < 10; i++) dribblers[next++ % dribblers.length]!.socket.write(Uint8Array.of(0))
  })
  expect(beside).toBeLessThanOrEqual(2 * alone)
  expect(dribblers.some(({ isClosed }) => isClosed)).toBe(false)
})

it('a client has 10 seconds for its first message, however slowly it sends, and is gone then', async () => {
  const server = await start({ handshakeTimeout: 1 })
  const slow = connectTo(server)
  // The front of a message of 65,532 bytes, byte by byte.
  const bytes = [...slow.encode('Binding', [], false)]
  bytes[2] = 0xff
  bytes[3] = 0xfc
  const timer = setInterval(() => slow.socket.write(Uint8Array.of(bytes.shift() ?? 0)), 100)
  cleanUps.push(() => clearInterval(timer))
  await once(slow.socket, 'close')
  expect(server.streamCounters.closed['no-message']).toBe(1)
  expect(server.streamCounters.connections).toBe(0)
})

it('a storm of connections that break off at every moment leaves nothing behind', async () => {
  const server = await start()
  const request = connectTo(server).encode('Allocate', [['REQUESTED-TRANSPORT', 17]], false)
  for (let i = 0; i <= request.length; i++) {
    const client = connectTo(server)
    await once(client.socket, 'connect')
    client.socket.write(request.subarray(0, i))
    if (i % 2 === 0) client.socket.resetAndDestroy()
    else client.socket.end()
  }
  const last = connectTo(server)
  await last.allocate()
  while (server.streamCounters.connections > 2) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(server.counters.allocations).toBe(1)
})

it('a client may ask for a hundred things in one write, and is answered a hundred times in order', async () => {
  const server = await start()
  const client = connectTo(server)
  await client.allocate()
  const requests = Array.from({ length: 100 }, () => client.encode('Binding', [], false))
  client.socket.write(Buffer.concat(requests))
  while (client.received.length < 102) await once(client.socket, 'data')
  const ids = client.received.slice(2).map((bytes) => bytes[19])
  expect(ids).toEqual(requests.map((bytes) => bytes[19]))
})
