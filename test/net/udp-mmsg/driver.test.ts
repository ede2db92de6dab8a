/** The driver over batched system calls, against plain dgram sockets of the same kernel. */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { type Datagram, socketId } from '../../../src/core/sans-io.ts'
import { TransportAddress } from '../../../src/core/transport-address.ts'
import { nodeClock } from '../../../src/net/node-host.ts'
import { MmsgDriver } from '../../../src/net/udp-mmsg/mmsg-driver.ts'
import { libcFor } from '../../support/libc.ts'
import { hasLoopback6 } from '../../support/programs.ts'

const libc = libcFor('the mmsg driver')
const has6 = hasLoopback6('batched system calls over IPv6')
const listener = socketId(0)
const relay = socketId(0x10000)
const options = { reusePort: false, receiveBufferBytes: 1 << 20, sendBufferBytes: 1 << 20 }
const open: { close(): void }[] = []

afterEach(() => {
  for (const item of open.splice(0)) item.close()
})

describe.skipIf(typeof libc === 'string').each([
  ['recvmmsg', false],
  ['io_uring', true],
])('the mmsg driver over %s', (_name, ring) => {
  it('binds, receives, forwards a range behind a header, and answers', async () => {
    const world = new World(ring)
    const local = await world.bind(listener, '127.0.0.1')
    const client = await plainSocket('udp4')
    world.onDatagram = (datagram) => {
      world.driver.forward(
        {
          socket: listener,
          destination: TransportAddress.from(datagram.source),
          header: Uint8Array.of(1, 2, 3, 4),
          headerLength: 4,
          start: datagram.start + 2,
          end: datagram.end,
          padding: 3,
          dontFragment: false,
        },
        datagram,
      )
    }
    client.socket.send(Buffer.from('xxhello'), local.port, '127.0.0.1')
    await world.until(() => client.received.length === 1)
    expect(client.received[0]).toEqual(Buffer.from('\x01\x02\x03\x04hello\0\0\0'))
  })

  it('sends a run of packets to one destination as single datagrams of the right lengths', async () => {
    const world = new World(ring)
    await world.bind(relay, '127.0.0.1')
    const peer = await plainSocket('udp4')
    const destination = TransportAddress.of('127.0.0.1', peer.port)
    const sizes = [100, 100, 100, 40, 100, 0, 700, 700, 1]
    for (const [i, size] of sizes.entries()) {
      world.driver.transmit(relay, destination, new Uint8Array(size).fill(i))
    }
    await world.until(() => peer.received.length === sizes.length)
    expect(peer.received.map((bytes) => bytes.length)).toEqual(sizes)
    expect(peer.received.every((bytes, i) => bytes.every((byte) => byte === i))).toBe(true)
    expect(world.driver.counters.sent).toBe(sizes.length)
    expect(world.driver.counters.sentMessages).toBeLessThan(sizes.length)
  })

  it.skipIf(!has6)('works over IPv6', async () => {
    const world = new World(ring)
    const local = await world.bind(listener, '::1')
    const client = await plainSocket('udp6')
    let source = ''
    world.onDatagram = (datagram) => {
      source = TransportAddress.from(datagram.source).toString()
      world.driver.transmit(listener, datagram.source, new Uint8Array([7]))
    }
    client.socket.send(Buffer.from('x'), local.port, '::1')
    await world.until(() => client.received.length === 1)
    expect(source).toBe(`[::1]:${client.port}`)
  })

  it('tells of ICMP errors about what a relay socket has sent, and goes on', async () => {
    const world = new World(ring)
    await world.bind(relay, '127.0.0.1')
    const gone = await plainSocket('udp4')
    gone.socket.close()
    open.splice(open.indexOf(gone.socket), 1)
    const destination = TransportAddress.of('127.0.0.1', gone.port)
    world.driver.transmit(relay, destination, new Uint8Array(10))
    await world.until(() => world.icmp.length === 1)
    expect(world.icmp).toEqual([[relay, `127.0.0.1:${gone.port}`, 3, 3]])
    const peer = await plainSocket('udp4')
    const other = TransportAddress.of('127.0.0.1', peer.port)
    for (let i = 0; i < 5; i++) {
      world.driver.transmit(relay, destination, new Uint8Array(10))
      world.driver.transmit(relay, other, new Uint8Array([i]))
      await world.until(() => peer.received.length === i + 1)
    }
    await world.until(() => world.icmp.length === 6)
    expect(world.driver.counters.refused.size).toBe(0)
  })

  it('says why a socket could not be bound', async () => {
    const world = new World(ring)
    const taken = await plainSocket('udp4')
    world.driver.bind(relay, TransportAddress.of('127.0.0.1', taken.port))
    await world.until(() => world.failures.length === 1)
    expect(world.failures).toEqual([[relay, 'EADDRINUSE']])
    world.driver.bind(relay, TransportAddress.of('203.0.113.9', 0))
    await world.until(() => world.failures.length === 2)
    expect(world.failures[1]).toEqual([relay, 'EADDRNOTAVAIL'])
  })

  it('hands in datagrams of every length, the longest and the empty one too', async () => {
    const world = new World(ring)
    const local = await world.bind(listener, '127.0.0.1')
    const client = await plainSocket('udp4')
    const lengths: number[] = []
    world.onDatagram = ({ start, end }) => {
      lengths.push(end - start)
    }
    const sizes = [0, 1, 1500, 9000, 65_507]
    for (const size of sizes) client.socket.send(Buffer.alloc(size), local.port, '127.0.0.1')
    await world.until(() => lengths.length === sizes.length)
    expect(lengths).toEqual(sizes)
  })
})

class World {
  readonly driver: MmsgDriver
  readonly bound = new Map<number, TransportAddress>()
  readonly failures: [number, string][] = []
  readonly icmp: [number, string, number, number][] = []
  onDatagram: (datagram: Datagram) => void = () => {}

  constructor(ring: boolean) {
    if (typeof libc === 'string') throw new Error(libc)
    const driver = MmsgDriver.open(libc, nodeClock, { ...options, ring })
    if (typeof driver === 'string') throw new Error(driver)
    driver.handlers = {
      bound: (socket, local) => this.bound.set(socket, local),
      bindFailed: (socket, reason) => this.failures.push([socket, reason]),
      datagram: (datagram) => this.onDatagram(datagram),
      icmp: (socket, peer, type, code) =>
        this.icmp.push([socket, TransportAddress.from(peer).toString(), type, code]),
      sendFailed: () => {},
    }
    this.driver = driver
    open.push({ close: () => driver.stop() })
  }

  async bind(socket: typeof listener, ip: string): Promise<TransportAddress> {
    this.driver.bind(socket, TransportAddress.of(ip, 0))
    await this.until(() => this.bound.has(socket))
    return this.bound.get(socket)!
  }

  async until(condition: () => boolean): Promise<void> {
    const end = Date.now() + 20_000
    while (!condition()) {
      if (Date.now() > end) throw new Error('waited for 20 s')
      this.driver.run(0)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

async function plainSocket(type: 'udp4' | 'udp6') {
  const socket: Socket = createSocket(type)
  open.push(socket)
  const received: Buffer[] = []
  socket.on('message', (bytes) => received.push(bytes))
  socket.bind(0, type === 'udp4' ? '127.0.0.1' : '::1')
  await once(socket, 'listening')
  return { socket, received, port: socket.address().port }
}
