/** The contract of a UDP socket of the host port, on this machine's own sockets. */

import { afterEach, describe, expect, it } from 'vitest'
import type { UdpBindOptions, UdpSocket } from '../../src/core/host.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { bindDgram } from '../../src/net/udp-dgram.ts'
import { hasLoopback6 } from '../support/programs.ts'
import { quietPorts } from '../support/quiet-ports.ts'
import { until } from '../support/until.ts'

interface Received {
  readonly text: string
  readonly from: string
  readonly bytes: Uint8Array
}

const open: UdpSocket[] = []
afterEach(() => {
  for (const socket of open.splice(0)) socket.close()
})

class TestSocket {
  readonly calls: string[] = []
  readonly received: Received[] = []
  readonly failures: string[] = []
  readonly socket: UdpSocket
  local: TransportAddress | undefined
  failed: string | undefined

  constructor(options: UdpBindOptions) {
    this.socket = bindDgram(options, {
      bound: (local) => {
        this.calls.push('bound')
        this.local = local
      },
      failed: (reason) => {
        this.calls.push('failed')
        this.failed = reason
      },
      datagram: (bytes, source) => {
        this.calls.push('datagram')
        const from = `${TransportAddress.from(source)}`
        this.received.push({ text: new TextDecoder().decode(bytes), from, bytes })
      },
      sendFailed: (reason) => {
        this.calls.push('sendFailed')
        this.failures.push(reason)
      },
    })
    open.push(this.socket)
  }

  /** Any port of that address, bound. */
  static async at(ip = '127.0.0.1', port = 0): Promise<TestSocket> {
    const socket = new TestSocket({ address: TransportAddress.of(ip, port) })
    await until(() => socket.calls.length > 0)
    return socket
  }

  get address(): TransportAddress {
    return this.local!
  }

  send(value: string | Uint8Array, destination: TransportAddress): void {
    this.socket.send(typeof value === 'string' ? new TextEncoder().encode(value) : value, destination)
  }

  /** What arrives is in order, so that when this has come, all that was sent before has, or never will. */
  async roundTrip(other: TestSocket): Promise<void> {
    const marker = `marker ${other.received.length}`
    const arrived = () => other.received.some(({ text }) => text === marker)
    await until(() => {
      if (!arrived()) this.send(marker, other.address)
      return arrived()
    })
  }
}

describe('a UDP socket', () => {
  it('is bound to a port that the system chooses, and calls no handler before it is handed out', async () => {
    const socket = new TestSocket({ address: TransportAddress.of('127.0.0.1', 0) })
    expect(socket.calls).toEqual([])
    await until(() => socket.calls.length > 0)
    expect(socket.calls).toEqual(['bound'])
    expect(socket.address.ip).toBe('127.0.0.1')
    expect(socket.address.port).toBeGreaterThan(0)
  })

  const refusals: [string, (taken: TransportAddress) => TransportAddress, string][] = [
    ['a port in use', (taken) => taken, 'EADDRINUSE'],
    ['an address of another host', () => TransportAddress.parse('192.0.2.1:0'), 'EADDRNOTAVAIL'],
  ]
  it.each(refusals)('that cannot be bound, for %s, says so: %3$s', async (_name, addressOf, reason) => {
    const other = await TestSocket.at()
    const socket = new TestSocket({ address: addressOf(other.address) })
    expect(socket.calls).toEqual([])
    await until(() => socket.calls.length > 0)
    expect([socket.calls, socket.failed]).toEqual([['failed'], reason])
    socket.send('into nothing', other.address)
    socket.socket.close()
    await (await TestSocket.at()).roundTrip(other)
    expect(other.received).toHaveLength(1)
  })

  it.each(['127.0.0.1', ...(hasLoopback6('datagrams over IPv6') ? ['::1'] : [])])(
    'exchanges datagrams on %s and tells who has sent them',
    async (ip) => {
      const [alice, bob] = [await TestSocket.at(ip), await TestSocket.at(ip)]
      alice.send('hello', bob.address)
      await until(() => bob.received.length === 1)
      expect(bob.received[0]).toMatchObject({ text: 'hello', from: `${alice.address}` })
      bob.send('back', TransportAddress.parse(bob.received[0]!.from))
      await until(() => alice.received.length === 1)
      expect(alice.received[0]).toMatchObject({ text: 'back', from: `${bob.address}` })
    },
  )

  it('tells senders apart whose packets take turns', async () => {
    const [one, two, target] = [
      await TestSocket.at('127.0.0.1'),
      await TestSocket.at('127.0.0.2'),
      await TestSocket.at(),
    ]
    for (let i = 0; i < 10; i++) {
      one.send('1', target.address)
      two.send('2', target.address)
    }
    await until(() => target.received.length === 20)
    for (const { text, from } of target.received) expect(from).toBe(`${(text === '1' ? one : two).address}`)
  })

  it('finds each of many destinations, whatever was sent to between', async () => {
    const sender = await TestSocket.at()
    const targets = [await TestSocket.at('127.0.0.2'), await TestSocket.at('127.0.0.3')]
    for (let round = 0; round < 20; round++) {
      for (const [i, target] of targets.entries()) {
        sender.send(`${round} for ${i}`, target.address)
        // Nobody is there.
        for (let other = 0; other < 25; other++) {
          sender.send(
            'for others',
            TransportAddress.of(`127.1.${round}.${other * 2 + i}`, target.address.port),
          )
        }
      }
    }
    for (const [i, target] of targets.entries()) {
      await until(() => target.received.length === 20)
      expect(target.received.map(({ text }) => text)).toEqual(
        Array.from({ length: 20 }, (_, round) => `${round} for ${i}`),
      )
    }
  })

  it.each([0, 1, 1200, 9000, 65_507])('carries %i bytes whole', async (length) => {
    const [alice, bob] = [await TestSocket.at(), await TestSocket.at()]
    const payload = new Uint8Array(length).map((_, i) => i * 7)
    alice.send(payload, bob.address)
    await until(() => bob.received.length === 1)
    expect(Buffer.compare(bob.received[0]!.bytes, payload)).toBe(0)
  })

  it('hands out bytes that stay as they are', async () => {
    const [alice, bob] = [await TestSocket.at(), await TestSocket.at()]
    for (let i = 0; i < 100; i++) alice.send(`packet ${i}`, bob.address)
    await until(() => bob.received.length === 100)
    const kept = bob.received.map(({ bytes }) => new TextDecoder().decode(bytes))
    expect(kept).toEqual(bob.received.map(({ text }) => text))
  })

  it('for IPv6 leaves the same port of IPv4 to others', async () => {
    const port = await quietPorts(1)
    const six = await TestSocket.at('::', port)
    const four = await TestSocket.at('0.0.0.0', port)
    expect([six.failed, four.failed]).toEqual([undefined, undefined])
  })

  it('has a receive buffer for bursts, and says what the system has granted', async () => {
    const socket = await TestSocket.at()
    expect(socket.socket.receiveBufferBytes).toBeGreaterThan(0)
    const small = new TestSocket({ address: TransportAddress.of('127.0.0.1', 0), receiveBufferBytes: 65_536 })
    await until(() => small.calls.length > 0)
    expect(small.socket.receiveBufferBytes).toBeLessThan(socket.socket.receiveBufferBytes!)
  })
})

describe('what the system refuses to send', () => {
  const payload = 'x'
  const refused: [string, string | Uint8Array, string, string[]][] = [
    ['to port 0', payload, '127.0.0.1:0', ['ERR_SOCKET_BAD_PORT']],
    ['of 65,508 bytes', new Uint8Array(65_508), '127.0.0.1:9', ['EMSGSIZE']],
    ['of a megabyte', new Uint8Array(1_000_000), '127.0.0.1:9', ['EMSGSIZE']],
    ['to the broadcast address', payload, '255.255.255.255:9', ['EACCES', 'ENETUNREACH']],
    ['to IPv6 from an IPv4 socket', payload, '[::1]:9', ['EINVAL', 'EAFNOSUPPORT']],
  ]
  it.each(refused)(
    '%s, is reported, and never thrown; the socket goes on',
    async (_name, bytes, to, reasons) => {
      const [socket, other] = [await TestSocket.at(), await TestSocket.at()]
      socket.send(bytes, TransportAddress.parse(to))
      await until(() => socket.failures.length === 1)
      expect(reasons).toContain(socket.failures[0])
      await socket.roundTrip(other)
    },
  )

  it('to a port where nobody listens, a thousand times: the socket goes on', async () => {
    const [socket, other, gone] = [await TestSocket.at(), await TestSocket.at(), await TestSocket.at()]
    gone.socket.close()
    for (let i = 0; i < 1000; i++) {
      socket.send('anybody?', gone.address)
      if (i % 100 === 0) await socket.roundTrip(other)
    }
    await socket.roundTrip(other)
    expect(socket.failures.filter((reason) => reason !== 'ECONNREFUSED')).toEqual([])
  })
})

describe('a closed UDP socket', () => {
  it('calls no handler, also when datagrams are waiting for it', async () => {
    const [alice, bob] = [await TestSocket.at(), await TestSocket.at()]
    for (let i = 0; i < 50; i++) alice.send('x', bob.address)
    bob.socket.close()
    bob.socket.close()
    bob.send('from the grave', alice.address)
    bob.socket.setTtl(3)
    await alice.roundTrip(await TestSocket.at())
    expect(bob.calls).toEqual(['bound'])
    expect(alice.received).toEqual([])
  })

  it('before it was bound is never bound', async () => {
    const socket = new TestSocket({ address: TransportAddress.of('127.0.0.1', 0) })
    socket.socket.close()
    await (await TestSocket.at()).roundTrip(await TestSocket.at())
    expect(socket.calls).toEqual([])
  })

  it('gives its port back at once', async () => {
    const port = await quietPorts(1)
    const { socket } = await TestSocket.at('127.0.0.1', port)
    socket.close()
    const next = await TestSocket.at('127.0.0.1', port)
    expect(next.failed).toBeUndefined()
  })
})
