/**
 * Millions of datagrams for a server in a process of its own, by the batching driver on both ends: damaged and forged
 * messages, ChannelData that lies, garbage of every length, runs that the kernel coalesces, packets of peers, ICMP
 * errors. Between them the server has to answer, and its clients to be served.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type SocketId, socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { nodeClock } from '../../src/net/node-host.ts'
import { loadLibc } from '../../src/net/udp-mmsg/libc.ts'
import { MmsgDriver } from '../../src/net/udp-mmsg/mmsg-driver.ts'
import type { IoName } from '../../src/server/io-config.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import type { ServerCounters } from '../../src/turn/counters.ts'
import { DamagedPackets, type Sender } from './damaged-packets.ts'
import type { FuzzNews, FuzzOrder } from './fuzz-server.ts'
import { quietLoopback } from './loopback.ts'
import { seededRandom } from './random.ts'

export interface DatagramFuzzOptions {
  readonly datagrams: number
  readonly seed: number
  readonly io: IoName
  readonly workers: number
  /** Whether to make reservations too: their ports are free half a minute after the end. */
  readonly reserves: boolean
  progress?(done: number): void
}

export interface DatagramFuzzReport {
  readonly sent: number
  /** Which the server has answered, relayed or dropped for a reason; the rest is indications, or was lost on the way. */
  readonly handled: number
  readonly counters: ServerCounters
  readonly seconds: number
  readonly descriptors: { readonly before: number; readonly after: number }
  readonly rss: { readonly before: number; readonly after: number }
  /** Of the server's process, when it was asked to end. */
  readonly exitCode: number | null
}

const clientCount = 16
const peerCount = 4
const prober = socketId(1000)
/** Datagrams between two proofs that the server is alive, and between two rounds of well-behaved requests. */
const perProof = 2048
const perRound = 32_768
/** Packets of one client in one round, each sent many times with damage of its own. */
const poolSize = 256
/** Other ports of the peers' address: nobody has them. */
const portsBelow = 20
const patienceMs = 60_000
const server = fileURLToPath(new URL('fuzz-server.ts', import.meta.url))

interface Client extends Sender {
  readonly socket: SocketId
  readonly key: Uint8Array
  nonce: string
  relayed: TransportAddress | undefined
  pool: readonly Uint8Array[]
}

export async function fuzzDatagrams(options: DatagramFuzzOptions): Promise<DatagramFuzzReport> {
  const fuzz = new DatagramFuzz(options)
  try {
    return await fuzz.run()
  } finally {
    fuzz.close()
  }
}

class DatagramFuzz {
  readonly #options: DatagramFuzzOptions
  readonly #random: ReturnType<typeof seededRandom>
  readonly #driver: MmsgDriver
  readonly #child: ChildProcess
  readonly #ip = quietLoopback().ip
  readonly #peerIp = quietLoopback().ip
  readonly #bound = new Map<number, TransportAddress>()
  readonly #clients: Client[] = []
  readonly #peers: SocketId[] = []
  #packets!: DamagedPackets
  #server!: TransportAddress
  #answer: Message | undefined
  #awaited: Uint8Array | undefined
  #sent = 0

  constructor(options: DatagramFuzzOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed)
    const libc = loadLibc()
    if (typeof libc === 'string') throw new Error(libc)
    const buffers = { receiveBufferBytes: 1 << 22, sendBufferBytes: 1 << 22 }
    const driver = MmsgDriver.open(libc, nodeClock, { reusePort: false, ...buffers })
    if (typeof driver === 'string') throw new Error(driver)
    this.#driver = driver
    driver.handlers = {
      bound: (socket, local) => this.#bound.set(socket, local),
      bindFailed: (_socket, reason) => {
        throw new Error(reason)
      },
      datagram: ({ bytes, start, end }) => this.#received(bytes, start, end),
      icmp: () => {},
      sendFailed: () => {},
    }
    const { io, workers } = options
    this.#child = fork(server, [io, `${workers}`, this.#ip, quietLoopback().ip, this.#peerIp])
  }

  async run(): Promise<DatagramFuzzReport> {
    await this.#open()
    // Once through everything, so that what is opened for good is open.
    this.#beginRound()
    this.#endAll()
    const descriptors = () => readdirSync(`/proc/${this.#child.pid}/fd`).length
    const before = { descriptors: descriptors(), ...(await this.#askCounters()) }
    const start = performance.now()
    for (let inRound = perRound; this.#sent < this.#options.datagrams; ) {
      if (inRound >= perRound) {
        this.#beginRound()
        inRound = 0
        this.#options.progress?.(this.#sent)
      }
      const end = this.#sent + perProof
      while (this.#sent < end) {
        for (let i = 0; i < 64; i++) this.#sendOne()
        this.#driver.run(0)
      }
      inRound += perProof
      this.#ask(prober, 'Binding', [], undefined)
    }
    const seconds = (performance.now() - start) / 1000
    this.#endAll()
    const until = Date.now() + patienceMs
    while (descriptors() > before.descriptors && Date.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 100))
    const after = { descriptors: descriptors(), ...(await this.#askCounters()) }
    this.#tell('stop')
    const [exitCode] = (await once(this.#child, 'exit')) as [number | null]
    return {
      sent: this.#sent,
      handled: handledBy(after.counters) - handledBy(before.counters),
      counters: after.counters,
      seconds,
      descriptors: { before: before.descriptors, after: after.descriptors },
      rss: { before: before.rss, after: after.rss },
      exitCode,
    }
  }

  close(): void {
    this.#driver.stop()
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL')
  }

  async #open(): Promise<void> {
    const listening = await this.#news('listening')
    this.#server = TransportAddress.of(this.#ip, listening.port)
    for (let i = 0; i < peerCount; i++) this.#peers.push(socketId(100 + i))
    const clients = Array.from({ length: clientCount }, (_, i) => socketId(i))
    for (const socket of this.#peers) this.#driver.bind(socket, TransportAddress.of(this.#peerIp, 0))
    for (const socket of [...clients, prober]) this.#driver.bind(socket, TransportAddress.of('127.0.0.1', 0))
    while (this.#bound.size < peerCount + clientCount + 1) this.#driver.run(0)
    const realm = this.#ask(clients[0]!, 'Allocate', [], undefined).get('REALM')!
    const key = longTermKey('alice', realm, 'wonder')
    for (const socket of clients)
      this.#clients.push({ socket, username: 'alice', key, nonce: '', relayed: undefined, pool: [] })
    const peers = this.#peers.map((socket) => this.#bound.get(socket)!)
    this.#packets = new DamagedPackets(this.#random, realm, [peers[0]!, ...peers], portsBelow)
    this.#realm = realm
  }

  #realm = ''

  /** Every client behaves well for a moment: whatever was done, it is served. */
  #beginRound(): void {
    for (const client of this.#clients) {
      client.nonce = this.#ask(client.socket, 'Allocate', [], undefined).get('NONCE')!
      // What it has may have been moved or changed by what it has sent since.
      this.#signed(client, 'Refresh', [['LIFETIME', 0]])
      const answer = this.#signed(client, 'Allocate', [['REQUESTED-TRANSPORT', 17]])
      client.relayed = answer.get('XOR-RELAYED-ADDRESS')
      if (client.relayed === undefined) throw new Error(`Allocate: ${answer.get('ERROR-CODE')?.code}`)
      for (const [i, peer] of this.#peers.entries()) {
        const bound = this.#signed(client, 'ChannelBind', [
          ['CHANNEL-NUMBER', 0x4000 + i],
          ['XOR-PEER-ADDRESS', this.#bound.get(peer)!],
        ])
        if (bound.class !== 'success') throw new Error(`ChannelBind: ${bound.get('ERROR-CODE')?.code}`)
      }
      client.pool = Array.from({ length: poolSize }, () => this.#draw(client))
    }
  }

  #draw(client: Client): Uint8Array {
    for (;;) {
      const packet = this.#packets.packet(client)
      const message = this.#options.reserves ? 'any' : decodeMessage(packet)
      if (typeof message === 'string' || message.get('EVEN-PORT')?.reserveNext !== true) return packet
    }
  }

  #endAll(): void {
    for (const client of this.#clients) {
      client.nonce = this.#ask(client.socket, 'Allocate', [], undefined).get('NONCE')!
      this.#signed(client, 'Refresh', [['LIFETIME', 0]])
    }
  }

  #sendOne(): void {
    const random = this.#random
    const client = this.#clients[random.below(clientCount)]!
    switch (random.below(16)) {
      case 0:
      case 1: {
        const peer = this.#peers[random.below(peerCount)]!
        this.#send(peer, client.relayed!, random.bytes(random.below(100)))
        return
      }
      case 2:
        this.#send(client.socket, this.#server, random.bytes(random.below(200)))
        return
      case 3:
        this.#send(
          client.socket,
          this.#server,
          new Uint8Array([0, 1, 1500, 9000][random.below(4)]!).fill(random.below(256)),
        )
        return
      case 4: {
        // A run of one length, which leaves and arrives as one message, and now and then the longest datagram.
        const length = random.below(256) === 0 ? 65_000 : 40 + random.below(1000)
        const count = length > 10_000 ? 1 : 8
        const bytes = channelData(0x4000 + random.below(peerCount + 1), length, 0)
        for (let i = 0; i < count; i++) this.#send(client.socket, this.#server, bytes)
        return
      }
      case 5:
        this.#send(
          client.socket,
          this.#server,
          channelData(0x4000 + random.below(5), 20, random.below(7) - 3),
        )
        return
      default: {
        const packet = client.pool[random.below(poolSize)]!
        if (random.below(2) === 0 || packet.length === 0) {
          this.#send(client.socket, this.#server, packet)
          return
        }
        const copy = packet.slice()
        copy[random.below(copy.length)]! ^= 1 << random.below(8)
        this.#send(client.socket, this.#server, copy)
      }
    }
  }

  #send(socket: SocketId, to: TransportAddress, bytes: Uint8Array): void {
    this.#sent++
    this.#driver.transmit(socket, to, bytes)
  }

  #signed(client: Client, method: MethodName, attributes: readonly Attribute[]): Message {
    const credentials: Attribute[] = [
      ['USERNAME', client.username],
      ['REALM', this.#realm],
      ['NONCE', client.nonce],
    ]
    return this.#ask(client.socket, method, [...attributes, ...credentials], client.key)
  }

  /** The answer; the request is sent again until there is one, and in the meantime nothing else happens. */
  #ask(
    socket: SocketId,
    method: MethodName,
    attributes: readonly Attribute[],
    key: Uint8Array | undefined,
  ): Message {
    const transactionId = this.#random.bytes(12)
    const integrity = key === undefined ? [] : [{ algorithm: 'sha1' as const, key }]
    const bytes = encodeMessage({ class: 'request', method, transactionId, attributes }, { integrity })
    this.#awaited = transactionId
    this.#answer = undefined
    const start = performance.now()
    let sentAt = -Infinity
    while (this.#answer === undefined) {
      const now = performance.now()
      if (now - start > patienceMs || this.#child.exitCode !== null)
        throw new Error(`seed ${this.#options.seed}: no answer to ${method} after ${this.#sent} datagrams`)
      if (now - sentAt > 250) {
        this.#driver.transmit(socket, this.#server, bytes)
        sentAt = now
      }
      this.#driver.run(0)
    }
    return this.#answer
  }

  #received(bytes: Uint8Array, start: number, end: number): void {
    const awaited = this.#awaited
    if (awaited === undefined || end - start < 20) return
    for (let i = 0; i < 12; i++) if (bytes[start + 8 + i] !== awaited[i]) return
    const message = decodeMessage(bytes.slice(start, end))
    if (typeof message !== 'string') this.#answer = message
  }

  async #askCounters(): Promise<{ counters: ServerCounters; rss: number }> {
    this.#tell('counters')
    return this.#news('counters')
  }

  #tell(order: FuzzOrder): void {
    this.#child.send(order)
  }

  async #news<Type extends FuzzNews['type']>(type: Type): Promise<Extract<FuzzNews, { type: Type }>> {
    const news = await new Promise<FuzzNews>((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`the server has ended with ${code}`))
      this.#child.once('exit', ended)
      this.#child.once('message', (message) => {
        this.#child.off('exit', ended)
        resolve(message as FuzzNews)
      })
    })
    if (news.type !== type) throw new Error(`the server says ${news.type}`)
    return news as Extract<FuzzNews, { type: Type }>
  }
}

/** Its length field says `lie` more than there is. */
function channelData(number: number, length: number, lie: number): Uint8Array {
  const bytes = new Uint8Array(4 + length)
  const said = length + lie
  bytes.set([number >> 8, number & 255, said >> 8, said & 255])
  return bytes
}

function handledBy(counters: ServerCounters): number {
  const dropped = Object.values(counters.drops).reduce((sum, count) => sum + count, 0)
  const { bindingResponses, successResponses, errorResponses, challenges } = counters
  const { packetsFromClient, packetsToClient } = counters
  return (
    dropped +
    bindingResponses +
    successResponses +
    errorResponses +
    challenges +
    packetsFromClient +
    packetsToClient
  )
}
