/** A server of one shard and of several, over both drivers: to its clients there is no difference. */

import { afterEach, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import type { IoName } from '../../src/server/io-config.ts'
import type { Log } from '../../src/server/log.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import { parseAddressRange } from '../../src/turn/peer-policy.ts'
import { quietLoopback } from '../support/loopback.ts'
import { UdpTurnClient } from '../support/udp-turn-client.ts'

const loopback = TransportAddress.of('127.0.0.1', 0)
const silent: Log = { level: 'silent', debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** So many clients that each of four shards has some: the system chooses by a hash of their ports. */
const many = 16

const config: ServeConfig = {
  ...defaultConfig,
  listen: [{ transport: 'udp', address: loopback, isOptional: false }],
  users: [{ name: 'alice', password: 'a' }],
  allowPeers: [parseAddressRange('127.0.0.0/8')],
  relayAddresses: [quietLoopback()],
  mobility: true,
}

const servers: [IoName, number][] = [
  ['dgram', 1],
  ['dgram', 4],
  ['mmsg', 1],
  ['mmsg', 4],
]

describe.each(servers)('A server over %s with %d workers', (io, workers) => {
  let server: RunningServer | undefined
  const clients: UdpTurnClient[] = []

  async function start(more: Partial<ServeConfig> = {}): Promise<number> {
    server = await startServer({ ...config, io, workers, ...more }, new NodeHost(), silent)
    return server.listeners[0]!.address.port
  }

  async function open(port: number): Promise<UdpTurnClient> {
    const client = await UdpTurnClient.open(port)
    clients.push(client)
    return client
  }

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    await server?.close()
  })

  it('relays between any two of its clients', async () => {
    const port = await start()
    const pairs = await Promise.all(
      Array.from({ length: many / 2 }, async (_, i) => {
        const [a, b] = [await open(port), await open(port)]
        const [relayedA, relayedB] = [await a.allocate(), await b.allocate()]
        await a.bindChannel(0x4000, relayedB)
        await b.bindChannel(0x4001, relayedA)
        a.sendChannelData(0x4000, Uint8Array.of(1, i))
        b.sendChannelData(0x4001, Uint8Array.of(2, i))
        await Promise.all([a.untilReceived(1), b.untilReceived(1)])
        return [a.received[0], b.received[0]]
      }),
    )
    for (const [i, [toA, toB]] of pairs.entries()) {
      expect(toA).toEqual(Buffer.of(0x40, 0, 0, 2, 2, i))
      expect(toB).toEqual(Buffer.of(0x40, 1, 0, 2, 1, i))
    }
  }, 60_000)

  it('gives a reserved port to whoever comes with the token', async () => {
    const port = await start()
    const reserved = await Promise.all(
      Array.from({ length: many / 2 }, async () => {
        const first = await open(port)
        const answer = await first.must('Allocate', [
          ['REQUESTED-TRANSPORT', 17],
          ['EVEN-PORT', { reserveNext: true }],
        ])
        const token = answer.get('RESERVATION-TOKEN')!.slice()
        const second = await open(port)
        const relayed = await second.allocate([['RESERVATION-TOKEN', token]])
        return relayed.port - answer.get('XOR-RELAYED-ADDRESS')!.port
      }),
    )
    expect(reserved).toEqual(new Array(many / 2).fill(1))
  }, 60_000)

  it('lets a client go on from another address', async () => {
    const port = await start()
    const peer = await open(port)
    const relayedPeer = await peer.allocate()
    for (let i = 0; i < many / 2; i++) {
      const home = await open(port)
      const answer = await home.must('Allocate', [
        ['REQUESTED-TRANSPORT', 17],
        ['MOBILITY-TICKET', new Uint8Array(0)],
      ])
      const relayed = answer.get('XOR-RELAYED-ADDRESS')!
      await home.bindChannel(0x4000, relayedPeer)
      await peer.bindChannel(0x4000 + i, relayed)
      const away = await open(port)
      await away.must('Refresh', [['MOBILITY-TICKET', answer.get('MOBILITY-TICKET')!.slice()]])
      away.sendChannelData(0x4000, Uint8Array.of(i))
      await peer.untilReceived(i + 1)
      peer.sendChannelData(0x4000 + i, Uint8Array.of(100 + i))
      await away.untilReceived(1)
      expect(away.received[0]).toEqual(Buffer.of(0x40, 0, 0, 1, 100 + i))
    }
  }, 60_000)

  it('lists its allocations, and is drained when the last one has ended', async () => {
    const port = await start()
    const here = await Promise.all(Array.from({ length: many }, () => open(port)))
    const relayed = await Promise.all(here.map((client) => client.allocate()))
    const listed = await server!.allocations()
    expect(listed.map(({ client }) => client.port).sort()).toEqual(
      here.map(({ address }) => address.port).sort(),
    )
    expect(listed.flatMap(({ relayedAddresses }) => relayedAddresses.map(String)).sort()).toEqual(
      relayed.map(String).sort(),
    )
    let isDrained = false
    const drained = server!.drain().then(() => {
      isDrained = true
    })
    const late = await open(port)
    expect((await late.request('Allocate', [['REQUESTED-TRANSPORT', 17]])).get('ERROR-CODE')?.code).toBe(508)
    await Promise.all(here.slice(1).map((client) => client.must('Refresh', [['LIFETIME', 0]])))
    expect((await here[0]!.must('Refresh', [['LIFETIME', 600]])).get('LIFETIME')).toBe(600)
    expect(isDrained).toBe(false)
    await here[0]!.must('Refresh', [['LIFETIME', 0]])
    await drained
    expect(await server!.allocations()).toEqual([])
  }, 60_000)

  it('gives out every relay port once, and says when there is none', async () => {
    const port = await start({ relayPorts: { min: 21_000, max: 21_000 + many - 1 } })
    const here = await Promise.all(Array.from({ length: many + 4 }, () => open(port)))
    const results = await Promise.all(
      here.map((client) =>
        client.allocate().then(
          ({ port: given }) => given,
          (error: Error) => error.message,
        ),
      ),
    )
    const given = results.filter((result) => typeof result === 'number')
    expect(new Set(given).size).toBe(many)
    const refused = results.filter((result) => typeof result !== 'number')
    expect(new Set(refused)).toEqual(new Set(['Allocate: 508']))
  }, 60_000)
})
