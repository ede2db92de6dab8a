/** The server as a process, over each of its drivers: what would end it, or make it grow without end. */

import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import type { MessageClass, MethodName } from '../../src/stun/methods.ts'
import { openSockets } from '../support/open-sockets.ts'
import { type Child, startTurnpike } from '../support/programs.ts'
import { seededRandom } from '../support/random.ts'
import { type EchoPeer, RealClient, startEchoPeer } from '../support/real-client.ts'
import { median } from '../support/round-trips.ts'
import { UdpEndpoint, type UdpPacket } from '../support/udp-endpoint.ts'

const isLinux = process.platform === 'linux'
const drivers = isLinux && isBuiltin('node:ffi') ? ['dgram', 'mmsg'] : ['dgram']
const random = seededRandom(20)

function plain(
  messageClass: MessageClass,
  method: MethodName,
  attributes: readonly Attribute[] = [],
): Uint8Array {
  return encodeMessage({ class: messageClass, method, transactionId: random.bytes(12), attributes })
}

/** What the flood has in it between two round trips. */
const floodPackets = 64

const isStun = ({ bytes }: UdpPacket) => typeof decodeMessage(bytes) !== 'string'

describe.each(drivers)('turnpike serve --io %s', (io) => {
  let server: Child & { port: number }
  let peer: EchoPeer
  let log = ''

  beforeAll(async () => {
    peer = await startEchoPeer()
    server = await startTurnpike(['--io', io, '--user', 'alice:wonder', '--allow-peer', '127.0.0.0/8'])
    server.process.stderr?.on('data', (chunk) => {
      log += chunk
    })
  })

  afterAll(async () => {
    peer?.close()
    const ended = await server?.stop()
    expect(ended?.code, ended?.stderr.slice(-2000)).toBe(0)
    expect(ended?.stderr).not.toContain('fault of this server')
  })

  function openClient(): RealClient {
    return new RealClient({
      transport: 'udp',
      server: { address: TransportAddress.of('127.0.0.1', server.port), name: 'localhost' },
      credentials: { username: 'alice', password: 'wonder' },
    })
  }

  /** A new client is served from beginning to end, by the same process. */
  async function expectService(): Promise<void> {
    const client = openClient()
    client.connection.permit(peer.address)
    await client.until('permission-installed')
    await client.echo(peer.address, 'still there')
    await client.close()
    expect(server.process.exitCode).toBeNull()
  }

  /** The server answers it when it has been through all that this socket has sent before. */
  async function passed(endpoint: UdpEndpoint): Promise<void> {
    const request = plain('request', 'Binding')
    const id = Buffer.from(request.subarray(8, 20))
    await endpoint.ask(request, server.port, ({ bytes }) => id.equals(bytes.subarray(8, 20)))
  }

  it('never answers an answer, an indication, or what is no STUN', async () => {
    const endpoint = await UdpEndpoint.open()
    const silent = [
      ...(['success', 'error', 'indication'] as const).flatMap((messageClass) =>
        (['Binding', 'Allocate', 'Refresh', 'Send', 'Data'] as const).map((method) =>
          plain(messageClass, method),
        ),
      ),
      Uint8Array.of(0x40, 0, 0, 1, 7),
      Uint8Array.of(22, 254, 253, ...new Uint8Array(60)),
      Uint8Array.of(0x80, 0x60, ...new Uint8Array(20)),
      new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'),
      new Uint8Array(0),
      new Uint8Array(65_507),
    ]
    for (const bytes of silent) endpoint.send(bytes, server.port)
    await passed(endpoint)
    expect(endpoint.received.every(({ bytes }) => bytes.length === 32)).toBe(true)
    endpoint.close()
  })

  it('answers Binding in 32 bytes and a challenge in at most 100', async () => {
    const endpoint = await UdpEndpoint.open()
    const binding = await endpoint.ask(plain('request', 'Binding'), server.port, isStun)
    expect(binding.bytes.length).toBe(32)
    endpoint.received.length = 0
    const challenge = await endpoint.ask(plain('request', 'Allocate'), server.port, isStun)
    expect(challenge.bytes.length).toBeLessThanOrEqual(100)
    endpoint.close()
  })

  it('lives through 20,000 damaged packets, and serves on', async () => {
    const endpoints = await Promise.all(Array.from({ length: 4 }, () => UdpEndpoint.open()))
    const nonce = decodeMessage(
      (await endpoints[0]!.ask(plain('request', 'Allocate'), server.port, isStun)).bytes,
    )
    const credentials: Attribute[] = [
      ['USERNAME', 'alice'],
      ['REALM', 'turnpike'],
      ['NONCE', typeof nonce === 'string' ? '' : nonce.get('NONCE')!],
    ]
    const samples = [
      plain('request', 'Binding'),
      plain('indication', 'Send', [
        ['XOR-PEER-ADDRESS', peer.address],
        ['DATA', random.bytes(40)],
      ]),
      Uint8Array.of(0x40, 0, 0, 20, ...random.bytes(20)),
      ...(['Allocate', 'Refresh', 'CreatePermission', 'ChannelBind'] as const).map((method) =>
        encodeMessage(
          {
            class: 'request',
            method,
            transactionId: random.bytes(12),
            attributes: [['XOR-PEER-ADDRESS', peer.address], ...credentials],
          },
          { integrity: [{ algorithm: 'sha1', key: random.bytes(16) }] },
        ),
      ),
    ]
    for (let i = 0; i < 20_000; i++) {
      const bytes = samples[random.below(samples.length)]!.slice(
        0,
        i % 10 === 0 ? random.below(150) : undefined,
      )
      for (let n = random.below(5); n > 0 && bytes.length > 0; n--)
        bytes[random.below(bytes.length)] = random.below(256)
      const endpoint = endpoints[i % 4]!
      endpoint.send(bytes, server.port)
      if (i % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    for (const endpoint of endpoints) endpoint.close()
    await expectService()
  }, 60_000)

  it('goes on relaying when a peer\u2019s port is closed, a thousand ICMP errors long', async () => {
    const client = openClient()
    const gone = await UdpEndpoint.open()
    const closed = TransportAddress.of('127.0.0.1', gone.port)
    gone.close()
    client.connection.permit(peer.address)
    await client.until('permission-installed')
    for (let i = 0; i < 1000; i++) {
      client.send(closed, 'anybody?')
      if (i % 100 === 0) await client.echo(peer.address, `after ${i}`)
    }
    await client.echo(peer.address, 'at the end')
    await client.close()
  }, 60_000)

  it('drops what goes to port 0, and what is too long to be relayed', async () => {
    const client = openClient()
    client.connection.permit(peer.address)
    await client.until('permission-installed')
    const raw = await UdpEndpoint.open()
    // To the relayed address, as a peer: with a header it does not fit into a datagram any more.
    raw.send(new Uint8Array(65_507), client.relayed.port)
    raw.send(new Uint8Array(65_480), client.relayed.port)
    client.send(peer.address.withPort(0), 'nowhere')
    await client.echo(peer.address, 'somewhere')
    expect(client.received.map(({ text }) => text)).not.toContain('nowhere')
    raw.close()
    await client.close()
  })

  it('leaves others their round trips while a peer floods one client', async () => {
    const [flooded, other] = [openClient(), openClient()]
    const flooder = await UdpEndpoint.open()
    flooded.connection.permit(TransportAddress.of('127.0.0.1', flooder.port))
    other.connection.permit(peer.address)
    await Promise.all([flooded.until('permission-installed'), other.until('permission-installed')])
    const roundTripMs = async (text: string) => {
      const start = performance.now()
      other.received.length = 0
      await other.echo(peer.address, text)
      return performance.now() - start
    }
    const packet = new Uint8Array(1200)
    const [alone, beside]: [number[], number[]] = [[], []]
    for (let i = 0; i < 200; i++) {
      alone.push(await roundTripMs(`alone ${i}`))
      for (let n = 0; n < floodPackets; n++) flooder.send(packet, flooded.relayed.port)
      beside.push(await roundTripMs(`beside ${i}`))
    }
    // Less than if each packet of the flood had been a round trip of its own.
    expect(median(beside)).toBeLessThan(median(alone) * floodPackets)
    flooder.close()
    await Promise.all([flooded.close(), other.close()])
  })

  it.skipIf(!isLinux)(
    'has no socket but the listener that it was asked for: no admin, no metrics',
    async () => {
      const sockets = openSockets(server.process.pid!)
      expect(sockets.filter(({ protocol }) => protocol.startsWith('tcp'))).toEqual([])
      expect(sockets).toContainEqual({ protocol: 'udp', address: '127.0.0.1', port: server.port })
      expect(sockets.filter(({ address }) => address !== '127.0.0.1')).toEqual([])
    },
  )

  it.skipIf(!isLinux)(
    'stays as it was after 20,000 Allocates without credentials from 2,000 addresses: no memory, no file descriptor, no record of an allocation',
    async () => {
      const { pid } = server.process
      const residentKiB = () =>
        Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
      const descriptors = () => readdirSync(`/proc/${pid}/fd`).length
      const before = { descriptors: descriptors(), residentKiB: 0 }
      let answers = 0
      const flood = async (from: number, to: number) => {
        for (let i = from; i < to; i += 20) {
          const sources = await Promise.all(
            Array.from({ length: 20 }, (_, n) =>
              UdpEndpoint.open(`127.${1 + ((i + n) >> 8)}.${(i + n) & 255}.${1 + (n % 200)}`),
            ),
          )
          for (let round = 0; round < 10; round++) {
            for (const source of sources)
              source.send(plain('request', 'Allocate', [['REQUESTED-TRANSPORT', 17]]), server.port)
          }
          const marker = await UdpEndpoint.open('127.0.0.1')
          await passed(marker)
          marker.close()
          await new Promise((resolve) => setTimeout(resolve, 1))
          for (const source of sources) {
            answers += source.received.length
            source.close()
          }
        }
      }
      const allocations = () => log.match(/allocation started/g)?.length ?? 0
      const recorded = allocations()
      // What an engine takes once, such as compiled code and a young heap of full size, is not growth.
      await flood(0, 400)
      before.residentKiB = residentKiB()
      answers = 0
      await flood(400, 2_400)
      const growthKiB = residentKiB() - before.residentKiB
      expect(answers).toBeGreaterThan(15_000)
      expect(descriptors()).toBe(before.descriptors)
      // 1 KiB for each request would be 20,000; what is measured is 300.
      expect(growthKiB).toBeLessThan(8_000)
      expect(allocations()).toBe(recorded)
      await expectService()
    },
    120_000,
  )
})
