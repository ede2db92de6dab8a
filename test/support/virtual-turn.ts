/**
 * A TurnClient and what it may meet, in simulated time: servers that are the real server core or a script, peers, a
 * path with a delay that may lose what a test says. Small on purpose: one client, one path.
 */

import type { SocketId } from '../../src/core/sans-io.ts'
import { type Instant, instant, later } from '../../src/core/time.ts'
import { type AddressWords, TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import type { IntegrityKey } from '../../src/stun/integrity.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import { TurnClient } from '../../src/turn/client/client.ts'
import type { TurnClientOptions } from '../../src/turn/client/options.ts'
import type { TurnClientEvent, TurnClientOutput } from '../../src/turn/client/outputs.ts'
import type { TurnServerOptions } from '../../src/turn/options.ts'
import { seededRandom } from './random.ts'
import { listener, listening, TurnHarness } from './turn-harness.ts'

/** What one direction of the path has carried. */
export interface Carried {
  readonly at: Instant
  readonly from: string
  readonly to: string
  readonly bytes: Uint8Array
}

/** A server that is a script: gives the answers to a frame. */
export type ScriptedServer = (bytes: Uint8Array, client: TransportAddress) => readonly Uint8Array[]

export interface Received {
  readonly peer: string
  readonly text: string
}

export interface VirtualTurnOptions {
  readonly client?: Partial<TurnClientOptions>
  readonly server?: Partial<TurnServerOptions>
  readonly seed?: number
}

/** One way, in milliseconds. */
export const delayMs = 10

export class VirtualTurn {
  readonly harness: TurnHarness
  readonly client: TurnClient
  now: Instant = instant(5_000_000)
  /** What the client has said, but for what it asked to be done. */
  events: TurnClientEvent[] = []
  outputs: TurnClientOutput[] = []
  received: Received[] = []
  readonly sent: Carried[] = []
  readonly fromServer: Carried[] = []
  readonly peers = new Map<string, { readonly from: string; readonly text: string }[]>()
  readonly scripts = new Map<string, ScriptedServer>()
  /** Tells which frames are lost. */
  loses: (frame: Carried, direction: 'to-server' | 'to-client') => boolean = () => false
  /** What opening a transport comes to: undefined opens it. */
  refusesTransport: (server: TransportAddress) => string | undefined = () => undefined
  clientAddress = TransportAddress.of('203.0.113.7', 40_000)
  isOpen = false
  #opened = 0
  #sequence = 0
  readonly #queue: { readonly at: Instant; readonly order: number; readonly run: () => void }[] = []

  constructor(options: VirtualTurnOptions = {}) {
    this.harness = new TurnHarness(options.server)
    this.harness.now = this.now
    this.client = new TurnClient(
      {
        transport: 'udp',
        server: { address: listening, name: 'turn.example.org' },
        credentials: { username: 'alice', password: 'wonder' },
        ...options.client,
      },
      seededRandom(options.seed ?? 7),
    )
  }

  /** Begins, and lets time pass until the client has settled. */
  allocate(): void {
    this.client.allocate(this.now)
    this.drain()
    this.elapse(1000)
  }

  /** Lets time pass, with everything in its order. */
  elapse(milliseconds: number): void {
    const end = later(this.now, milliseconds)
    for (let steps = 0; ; steps++) {
      if (steps > 100_000) throw new Error('the clock does not advance')
      const queued = this.#queue[0]?.at
      const client = this.client.pollTimeout()
      const server = this.harness.server.pollTimeout()
      const next = Math.min(queued ?? Infinity, client ?? Infinity, server ?? Infinity)
      if (next > end) break
      this.#advance(instant(Math.max(next, this.now)))
      if (queued === next) this.#queue.shift()!.run()
      else if (server === next) {
        this.harness.server.handleTimeout(this.now)
        this.harness.drain()
      } else this.client.handleTimeout(this.now)
      this.drain()
    }
    this.#advance(end)
  }

  send(peer: TransportAddress, text: string): boolean {
    const frame = this.client.wrap(peer, new TextEncoder().encode(text), this.now)
    if (frame === undefined) return false
    this.#toServer(frame, this.#server)
    return true
  }

  /** A peer sends to a relayed transport address. */
  sendFromPeer(peer: TransportAddress, relayed: TransportAddress, text: string): void {
    for (const [socket, local] of this.harness.relaySockets) {
      if (local.port !== relayed.port || local.family !== relayed.family) continue
      this.#later(() => this.#forward(socket, peer, new TextEncoder().encode(text)))
      return
    }
  }

  /** As the client's next input, without a delay. */
  handIn(bytes: Uint8Array, source: AddressWords = this.#server): void {
    this.#handToClient(bytes, source)
  }

  takeEvents(): TurnClientEvent[] {
    const { events } = this
    this.events = []
    return events
  }

  /** Requests that the client has sent, by method, without retransmissions. */
  requests(method: string): Message[] {
    const seen = new Set<string>()
    return this.sent.flatMap(({ bytes }) => {
      const message = decodeMessage(bytes)
      if (typeof message === 'string' || message.class !== 'request' || message.method !== method) return []
      const id = message.transactionId.join()
      if (seen.has(id)) return []
      seen.add(id)
      return [message]
    })
  }

  /** The peer's inbox; from now on what is relayed to it is kept there. */
  inbox(peer: TransportAddress): { readonly from: string; readonly text: string }[] {
    const key = peer.toString()
    const inbox = this.peers.get(key) ?? []
    this.peers.set(key, inbox)
    return inbox
  }

  drain(): void {
    for (let output = this.client.poll(); output !== undefined; output = this.client.poll()) {
      this.outputs.push(output)
      switch (output.type) {
        case 'open-transport':
          this.#open(output.server.address)
          break
        case 'close-transport':
          this.isOpen = false
          this.#opened++
          break
        case 'transmit':
          this.#toServer(output.bytes, output.destination)
          break
        default:
          this.events.push(output)
      }
    }
  }

  #server: TransportAddress = listening

  #open(server: TransportAddress): void {
    if (this.isOpen) throw new Error('a transport is open already')
    const generation = ++this.#opened
    this.#server = server
    this.clientAddress = this.clientAddress.withPort(this.clientAddress.port + 1)
    this.#later(() => {
      if (generation !== this.#opened) return
      const reason = this.refusesTransport(server)
      this.isOpen = reason === undefined
      if (reason === undefined) this.client.transportOpened(this.now)
      else this.client.transportFailed(reason, this.now)
    }, 0)
  }

  #toServer(bytes: Uint8Array, server: TransportAddress): void {
    if (!this.isOpen) throw new Error('the client sends before its transport is open')
    const client = this.clientAddress
    const frame = { at: this.now, from: client.toString(), to: server.toString(), bytes }
    this.sent.push(frame)
    if (this.loses(frame, 'to-server')) return
    this.#later(() => this.#atServer(bytes, client, server))
  }

  #atServer(bytes: Uint8Array, client: TransportAddress, server: TransportAddress): void {
    const script = this.scripts.get(server.toString())
    if (script !== undefined) {
      for (const answer of script(bytes, client)) this.#toClient(answer, client, server)
    } else if (server.equals(listening)) this.#forward(listener, client, bytes)
  }

  /** Into the server core, and on to where it says. */
  #forward(socket: SocketId, source: TransportAddress, bytes: Uint8Array): void {
    const sent = this.harness.handle({ socket, source, bytes })
    for (const output of this.harness.takeOutputs()) {
      if (output.type === 'transmit') this.#toClient(output.bytes, output.destination, listening)
    }
    if (sent === undefined) return
    if (sent.socket === listener)
      this.#toClient(sent.bytes, TransportAddress.parse(sent.destination), listening)
    else this.#toPeer(sent.socket, sent.destination, sent.bytes)
  }

  #toPeer(socket: SocketId, destination: string, bytes: Uint8Array): void {
    const from = this.harness.relaySockets.get(socket)
    this.peers.get(destination)?.push({ from: `${from}`, text: new TextDecoder().decode(bytes) })
  }

  #toClient(bytes: Uint8Array, client: TransportAddress, server: TransportAddress): void {
    const frame = { at: this.now, from: server.toString(), to: client.toString(), bytes }
    this.fromServer.push(frame)
    if (this.loses(frame, 'to-client')) return
    this.#later(() => {
      if (this.isOpen && client.equals(this.clientAddress)) this.#handToClient(bytes, server)
    })
  }

  #handToClient(bytes: Uint8Array, source: AddressWords): void {
    const data = this.client.handleDatagram(bytes, source, this.now)
    if (data !== undefined) {
      const text = new TextDecoder().decode(bytes.subarray(data.start, data.end))
      this.received.push({ peer: TransportAddress.from(data.peer).toString(), text })
    }
    this.drain()
  }

  #later(run: () => void, milliseconds = delayMs): void {
    const at = later(this.now, milliseconds)
    this.#queue.push({ at, order: this.#sequence++, run })
    this.#queue.sort((x, y) => x.at - y.at || x.order - y.order)
  }

  #advance(now: Instant): void {
    this.now = now
    this.harness.now = now
  }
}

/** An answer to a request, as a script makes it. */
export function answer(
  request: Uint8Array,
  messageClass: 'success' | 'error',
  attributes: readonly Attribute[],
  integrity: readonly IntegrityKey[] = [],
): Uint8Array {
  const message = decodeMessage(request)
  if (typeof message === 'string') throw new Error(`the client sent ${message}`)
  return encodeMessage(
    {
      class: messageClass,
      method: message.methodNumber,
      transactionId: message.transactionId.slice(),
      attributes,
    },
    { integrity },
  )
}

export function errorAnswer(
  request: Uint8Array,
  code: number,
  attributes: readonly Attribute[] = [],
  integrity: readonly IntegrityKey[] = [],
): Uint8Array {
  return answer(request, 'error', [['ERROR-CODE', { code, reason: '' }], ...attributes], integrity)
}
