/** How evenly Linux spreads clients over shards: its hash, simulated under many secrets, and the kernel itself under one. */

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { quietLoopback } from '../support/loopback.ts'
import { seededRandom } from '../support/random.ts'
import { lookup3, reuseportPlace } from '../support/reuseport.ts'
import { until } from '../support/until.ts'

const server = TransportAddress.of('192.0.2.1', 3478)
const flows = 500
const secrets = 400

type Flows = (random: ReturnType<typeof seededRandom>) => TransportAddress[]

const population: [string, Flows][] = [
  [
    'each from a host of its own',
    (random) =>
      Array.from({ length: flows }, () => {
        const ip = Array.from({ length: 4 }, () => 1 + random.below(223)).join('.')
        return TransportAddress.of(ip, 1024 + random.below(64_512))
      }),
  ],
  [
    'of one host, from ports in a row',
    (random) => {
      const first = 1024 + random.below(60_000)
      return Array.from({ length: flows }, (_, i) => TransportAddress.of('203.0.113.9', first + i))
    },
  ],
  [
    'of neighbours, each from the same port',
    () => Array.from({ length: flows }, (_, i) => TransportAddress.of(`10.0.${i >> 8}.${i & 255}`, 5004)),
  ],
]

/** How many flows each socket gets. */
function spread(clients: readonly TransportAddress[], sockets: number, secret: number): number[] {
  const counts = new Array<number>(sockets).fill(0)
  for (const client of clients) counts[reuseportPlace(server, client, sockets, secret)]!++
  return counts
}

/** The busiest worker's share over an even one, in the middle and at the worst of many secrets. */
function imbalance(draw: Flows, workers: number): { median: number; worst: number } {
  const random = seededRandom(16)
  const ratios = Array.from({ length: secrets }, (_, i) => {
    const counts = spread(draw(random), workers, Math.imul(i + 1, 0x9e3779b1))
    return Math.max(...counts) / (flows / workers)
  }).sort((x, y) => x - y)
  return { median: ratios[secrets / 2]!, worst: ratios.at(-1)! }
}

describe('the hash of lookup3', () => {
  it('is what its author gives as an example', () => {
    const text = Buffer.from('Four score and seven years ago\0\0')
    const words = Array.from({ length: 8 }, (_, i) => text.readInt32LE(i * 4))
    expect(lookup3(words, 30, 0).toString(16)).toBe('17770551')
    expect(lookup3(words, 30, 1).toString(16)).toBe('cd628161')
  })
})

describe.each(population)('500 flows, %s', (_name, draw) => {
  // An even spread is not to be had from a hash: these are what chance gives, and a little.
  it.each([
    [2, 1.06, 1.2],
    [4, 1.12, 1.4],
    [16, 1.5, 2.1],
  ])(
    'spread over %d workers: the busiest has %d times its share, and never %d times',
    (workers, median, worst) => {
      const found = imbalance(draw, workers)
      expect(found.median).toBeLessThan(median)
      expect(found.worst).toBeLessThan(worst)
    },
  )
})

describe.skipIf(process.platform !== 'linux')('the kernel', () => {
  const sockets: Socket[] = []

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close()
  })

  async function open(address: TransportAddress, reusePort: boolean): Promise<Socket> {
    const socket = createSocket({ type: 'udp4', reusePort })
    sockets.push(socket)
    socket.bind(address.port, address.ip)
    await once(socket, 'listening')
    return socket
  }

  it('spreads 500 flows over 16 sockets as the simulation does, and keeps each where it is', async () => {
    const address = quietLoopback().withPort(3478)
    const seen = new Map<number, Set<number>>()
    let received = 0
    for (let i = 0; i < 16; i++) {
      const socket = await open(address, true)
      socket.on('message', (_bytes, { port }) => {
        received++
        seen.set(port, (seen.get(port) ?? new Set()).add(i))
      })
    }
    const clients = await Promise.all(
      Array.from({ length: flows }, () => open(TransportAddress.of('127.0.0.1', 0), false)),
    )
    for (let round = 1; round <= 2; round++) {
      for (const [i, client] of clients.entries()) {
        client.send('x', address.port, address.ip)
        if (i % 50 === 49) await until(() => received >= flows * (round - 1) + i + 1)
      }
    }
    expect(seen.size).toBe(flows)
    expect([...seen.values()].every((places) => places.size === 1)).toBe(true)
    const counts = new Array<number>(16).fill(0)
    for (const places of seen.values()) for (const place of places) counts[place]!++
    // 15 degrees of freedom: beyond this once in thirty million times.
    const expected = flows / counts.length
    const statistic = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    expect(statistic).toBeLessThan(65)
  })
})
