/** A server of one shard and of several, over both drivers: to its clients there is no difference. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import type { IoName } from '../../src/server/io-config.ts'
import type { Log } from '../../src/server/log.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import { parseAddressRange } from '../../src/turn/peer-policy.ts'
import { quietLoopback } from '../support/loopback.ts'
import { UdpTurnClient } from '../support/udp-turn-client.ts'

const silent: Log = { level: 'silent', debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** So many clients that each of four shards has some: the system chooses by a hash of their ports. */
const many = 16
const userQuota = 20
const ports = 48

const users = ['alice', 'bob', 'carol'].map((name) => ({ name, password: 'a' }))

/** At addresses of its own: its ports are nobody else's. */
function configOf(listening: TransportAddress): ServeConfig {
  return {
    ...defaultConfig,
    listen: [{ transport: 'udp', address: listening, isOptional: false }],
    alternateAddresses: [quietLoopback()],
    relayAddresses: [quietLoopback()],
    users,
    allowPeers: [parseAddressRange('127.0.0.0/8')],
    relayPorts: { min: 50_000, max: 50_000 + ports - 1 },
    unauthenticatedRate: 0,
    userQuota,
    mobility: true,
  }
}

const servers: [IoName, number][] = [
  ['dgram', 1],
  ['dgram', 4],
  ['mmsg', 1],
  ['mmsg', 4],
]

describe.skipIf(process.platform !== 'linux').each(servers)(
  'A server over %s with %d workers',
  (io, workers) => {
    const listening = quietLoopback().withPort(3478)
    const config = configOf(listening)
    let server: RunningServer
    const clients: UdpTurnClient[] = []

    beforeAll(async () => {
      server = await startServer({ ...config, io, workers }, new NodeHost(), silent)
    })

    afterEach(async () => {
      await Promise.all(clients.splice(0).map((client) => client.release()))
      expect(await server.allocations()).toEqual([])
    })

    afterAll(() => server?.close())

    async function open(user?: string): Promise<UdpTurnClient> {
      const client = await UdpTurnClient.open(listening, user)
      clients.push(client)
      return client
    }

    function openMany(count: number, user?: string): Promise<UdpTurnClient[]> {
      return Promise.all(Array.from({ length: count }, () => open(user)))
    }

    it('relays between any two of its clients', async () => {
      const pairs = await Promise.all(
        Array.from({ length: many / 2 }, async (_, i) => {
          const [a, b] = [await open(), await open()]
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
    })

    it('gives a reserved port to whoever comes with the token', async () => {
      const reserved = await Promise.all(
        Array.from({ length: many / 2 }, async () => {
          const first = await open()
          const answer = await first.must('Allocate', [
            ['REQUESTED-TRANSPORT', 17],
            ['EVEN-PORT', { reserveNext: true }],
          ])
          const token = answer.get('RESERVATION-TOKEN')!.slice()
          const second = await open()
          const relayed = await second.allocate([['RESERVATION-TOKEN', token]])
          return relayed.port - answer.get('XOR-RELAYED-ADDRESS')!.port
        }),
      )
      expect(reserved).toEqual(new Array(many / 2).fill(1))
    })

    it('lets a client go on from another address', async () => {
      const peer = await open()
      const relayedPeer = await peer.allocate()
      for (let i = 0; i < many / 2; i++) {
        const home = await open()
        const answer = await home.must('Allocate', [
          ['REQUESTED-TRANSPORT', 17],
          ['MOBILITY-TICKET', new Uint8Array(0)],
        ])
        const relayed = answer.get('XOR-RELAYED-ADDRESS')!
        await home.bindChannel(0x4000, relayedPeer)
        await peer.bindChannel(0x4000 + i, relayed)
        const away = await open()
        await away.must('Refresh', [['MOBILITY-TICKET', answer.get('MOBILITY-TICKET')!.slice()]])
        away.sendChannelData(0x4000, Uint8Array.of(i))
        await peer.untilReceived(i + 1)
        peer.sendChannelData(0x4000 + i, Uint8Array.of(100 + i))
        await away.untilReceived(1)
        expect(away.received[0]).toEqual(Buffer.of(0x40, 0, 0, 1, 100 + i))
      }
    })

    it('answers from its other address and port whoever asks for that', async () => {
      const other = config.alternateAddresses[0]!.withPort(3479)
      for (const client of await openMany(many)) {
        const change = { changeIp: true, changePort: true }
        const answer = await client.binding([['CHANGE-REQUEST', change]])
        expect(`${answer.get('RESPONSE-ORIGIN')} ${client.answeredFrom}`).toBe(`${other} ${other}`)
        expect(`${answer.get('OTHER-ADDRESS')}`).toBe(`${other}`)
        expect(`${answer.get('XOR-MAPPED-ADDRESS')}`).toBe(`${client.address}`)
      }
    })

    it('gives a user no more than the quota, and every relay port once, until there is none', async () => {
      const asks = async (user: string, count: number) => {
        const answers = await Promise.all(
          (await openMany(count, user)).map((client) =>
            client.request('Allocate', [['REQUESTED-TRANSPORT', 17]]),
          ),
        )
        return answers.map(
          (answer) => answer.get('XOR-RELAYED-ADDRESS')?.port ?? answer.get('ERROR-CODE')?.code,
        )
      }
      const alice = await asks('alice', userQuota + 4)
      const bob = await asks('bob', userQuota + 4)
      const carol = await asks('carol', userQuota)
      const count = (of: unknown[], code: number) => of.filter((one) => one === code).length
      expect([count(alice, 486), count(bob, 486)]).toEqual([4, 4])
      const left = ports - 2 * userQuota
      expect([count(carol, 486), count(carol, 508)]).toEqual([0, userQuota - left])
      const given = [...alice, ...bob, ...carol].filter((one) => one !== 486 && one !== 508)
      expect(given.sort()).toEqual(Array.from({ length: ports }, (_, i) => config.relayPorts.min + i))
    })

    it('lists its allocations, and is drained when the last one has ended', async () => {
      const here = await openMany(many)
      const relayed = await Promise.all(here.map((client) => client.allocate()))
      const listed = await server.allocations()
      expect(listed.map(({ client }) => client.port).sort()).toEqual(
        here.map(({ address }) => address.port).sort(),
      )
      expect(listed.flatMap(({ relayedAddresses }) => relayedAddresses.map(String)).sort()).toEqual(
        relayed.map(String).sort(),
      )
      let isDrained = false
      const drained = server.drain().then(() => {
        isDrained = true
      })
      const late = await open()
      expect((await late.request('Allocate', [['REQUESTED-TRANSPORT', 17]])).get('ERROR-CODE')?.code).toBe(
        508,
      )
      await Promise.all(here.slice(1).map((client) => client.must('Refresh', [['LIFETIME', 0]])))
      expect((await here[0]!.must('Refresh', [['LIFETIME', 600]])).get('LIFETIME')).toBe(600)
      expect(isDrained).toBe(false)
      await here[0]!.must('Refresh', [['LIFETIME', 0]])
      await drained
    })
  },
)
