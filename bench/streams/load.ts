/**
 * Clients by TCP or TLS, and one peer, in one process. Payloads go up in ChannelData, or down as datagrams; what arrives at
 * the far end is counted, and so many at most are under way.
 */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { Arena } from '../../src/net/udp-mmsg/arena.ts'
import { loadLibc } from '../../src/net/udp-mmsg/libc.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import { StreamFramer } from '../../src/stun/stream-framing.ts'
import { Endpoint, type Outgoing } from '../support/flows.ts'
import { password, user } from '../support/servers.ts'

const channel = 0x4000
const batch = 64

export interface StreamLoadOptions {
  readonly transport: 'tcp' | 'tls'
  readonly server: TransportAddress
  readonly clients: number
  readonly payload: number
}

export interface StreamTraffic {
  readonly direction: 'up' | 'down'
  /** Packets that a flow sends in a row: by a client in one write. */
  readonly burst: number
  readonly seconds: number
  /** Packets under way at most. */
  readonly window: number
}

export class StreamLoad {
  readonly #options: StreamLoadOptions
  readonly #peer: Endpoint
  readonly #outgoing: Outgoing
  readonly #clients: Client[] = []
  #received = 0

  constructor(options: StreamLoadOptions) {
    const libc = loadLibc()
    if (typeof libc === 'string') throw new Error(libc)
    const arena = Arena.map(libc, 4 * 1024 * 1024)
    if (arena === undefined) throw new Error('mmap failed')
    this.#options = options
    this.#peer = new Endpoint(libc, arena, TransportAddress.of('127.0.0.1', 0), false)
    this.#outgoing = this.#peer.prepare(batch, options.payload)
  }

  /** Allocate and ChannelBind for every client, one after another. */
  async setUp(): Promise<void> {
    const { clients } = this.#options
    for (let i = 0; i < clients; i++) {
      const client = new Client(this.#options, () => this.#received++)
      this.#clients.push(client)
      await client.setUp(this.#peer.local)
    }
  }

  /** Packets that have arrived, and in how many seconds. */
  async run({
    direction,
    burst,
    seconds,
    window,
  }: StreamTraffic): Promise<{ received: number; seconds: number }> {
    this.#received = 0
    let sent = 0
    let cursor = 0
    const start = performance.now()
    const end = start + seconds * 1000
    while (performance.now() < end) {
      for (let rounds = 0; rounds < 16 && sent - this.#received + burst <= window; rounds++) {
        if (direction === 'up') {
          this.#clients[cursor++ % this.#clients.length]!.send(burst)
          sent += burst
        } else sent += this.#sendDown(Math.min(batch, window - (sent - this.#received)), burst)
      }
      this.#readPeer()
      await new Promise((resolve) => setImmediate(resolve))
      // What was lost on the way is not waited for.
      if (sent - this.#received >= window && performance.now() - this.#lastArrival > 100)
        sent = this.#received
    }
    return { received: this.#received, seconds: (performance.now() - start) / 1000 }
  }

  close(): void {
    for (const client of this.#clients) client.close()
    this.#peer.close()
  }

  #lastCount = 0
  #lastAt = 0
  #flow = 0

  get #lastArrival(): number {
    if (this.#received !== this.#lastCount) {
      this.#lastCount = this.#received
      this.#lastAt = performance.now()
    }
    return this.#lastAt
  }

  #sendDown(count: number, burst: number): number {
    for (let i = 0; i < count; i++) {
      const client = this.#clients[Math.floor(this.#flow++ / burst) % this.#clients.length]!
      this.#outgoing.address(i, client.relayed!, undefined)
    }
    return this.#outgoing.send(count)
  }

  #readPeer(): void {
    while (this.#peer.receive(() => this.#received++) === batch);
  }
}

class Client {
  readonly #socket: Socket
  readonly #framer = new StreamFramer()
  readonly #arrived: () => void
  readonly #options: StreamLoadOptions
  readonly #bursts = new Map<number, Buffer>()
  #answer: ((message: Message) => void) | undefined
  #key: Uint8Array | undefined
  #realm = ''
  #nonce = ''
  relayed: TransportAddress | undefined

  constructor(options: StreamLoadOptions, arrived: () => void) {
    this.#options = options
    this.#arrived = arrived
    const { transport, server } = options
    const at = { host: server.ip, port: server.port, noDelay: true }
    this.#socket = transport === 'tls' ? tlsConnect({ ...at, rejectUnauthorized: false }) : connect(at)
    this.#socket.on('data', (bytes) => this.#hear(bytes as Uint8Array))
  }

  async setUp(peer: TransportAddress): Promise<void> {
    await once(this.#socket, this.#options.transport === 'tls' ? 'secureConnect' : 'connect')
    const udp: Attribute = ['REQUESTED-TRANSPORT', 17]
    const challenge = await this.#ask('Allocate', [udp])
    this.#realm = challenge.get('REALM')!
    this.#nonce = challenge.get('NONCE')!
    this.#key = longTermKey(user, this.#realm, password)
    this.relayed = (await this.#ask('Allocate', [udp])).get('XOR-RELAYED-ADDRESS')
    const bound = await this.#ask('ChannelBind', [
      ['CHANNEL-NUMBER', channel],
      ['XOR-PEER-ADDRESS', peer],
    ])
    if (bound.class !== 'success') throw new Error(`ChannelBind: ${bound.get('ERROR-CODE')?.code}`)
  }

  send(burst: number): void {
    const { payload } = this.#options
    const size = 4 + ((payload + 3) & ~3)
    let bytes = this.#bursts.get(burst)
    if (bytes === undefined) {
      bytes = Buffer.alloc(size * burst)
      for (let i = 0; i < burst; i++)
        bytes.set([channel >> 8, channel & 255, payload >> 8, payload & 255], i * size)
      this.#bursts.set(burst, bytes)
    }
    this.#socket.write(bytes)
  }

  close(): void {
    this.#socket.destroy()
  }

  #ask(method: MethodName, attributes: readonly Attribute[]): Promise<Message> {
    const key = this.#key
    const credentials: Attribute[] =
      key === undefined
        ? []
        : [
            ['USERNAME', user],
            ['REALM', this.#realm],
            ['NONCE', this.#nonce],
          ]
    const transactionId = crypto.getRandomValues(new Uint8Array(12))
    const bytes = encodeMessage(
      { class: 'request', method, transactionId, attributes: [...attributes, ...credentials] },
      key === undefined ? {} : { integrity: [{ algorithm: 'sha1', key }] },
    )
    return new Promise((resolve) => {
      this.#answer = resolve
      this.#socket.write(bytes)
    })
  }

  #hear(bytes: Uint8Array): void {
    const framer = this.#framer
    framer.push(bytes)
    while (framer.advance()) {
      if (framer.bytes[framer.start]! >= 0x40) this.#arrived()
      else {
        const message = decodeMessage(framer.bytes.subarray(framer.start, framer.end))
        if (typeof message !== 'string') this.#answer?.(message)
      }
    }
  }
}
