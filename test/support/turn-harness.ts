/** A TurnServer in simulated time, with clients that speak to it in whole exchanges. */

import { type Datagram, type SocketId, socketId } from '../../src/core/sans-io.ts'
import { type Instant, instant, later } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey } from '../../src/stun/credentials.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { checkIntegrity, writeIntegrity } from '../../src/stun/integrity.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import { staticCredentials } from '../../src/turn/credentials.ts'
import type { TurnServerOptions } from '../../src/turn/options.ts'
import type { ServerOutput } from '../../src/turn/outputs.ts'
import { PeerPolicy } from '../../src/turn/peer-policy.ts'
import type { Route } from '../../src/turn/route.ts'
import { TurnServer } from '../../src/turn/server.ts'
import { firstStreamSocket } from '../../src/turn/socket-numbers.ts'
import { seededRandom } from './random.ts'

export const realm = 'example.org'
export const listener = socketId(0)
export const listening = TransportAddress.of('198.51.100.1', 3478)
export const relayAddress = TransportAddress.of('198.51.100.1', 0)
export const relayAddress6 = TransportAddress.of('2001:db8:1::1', 0)
/** Globally reachable, so that the default policy lets them be peers. */
export const peerA = TransportAddress.of('8.8.4.4', 5000)
export const peerB = TransportAddress.of('9.9.9.9', 6000)
export const peer6 = TransportAddress.of('2600::1', 7000)

export interface Sent {
  readonly socket: SocketId
  readonly destination: string
  readonly bytes: Uint8Array
  readonly dontFragment: boolean
}

/** Answers a bind-relay: undefined binds, a string is the system's reason. */
export type BindPolicy = (address: TransportAddress) => string | undefined | 'later'

export class TurnHarness {
  readonly server: TurnServer
  readonly random: ReturnType<typeof seededRandom>
  now: Instant = instant(1_000_000)
  outputs: ServerOutput[] = []
  #handled = 0
  bindPolicy: BindPolicy = () => undefined
  /** Sees every output before it is carried out. */
  watch: (output: ServerOutput) => void = () => {}
  /** Relay sockets that are open, by number. */
  readonly relaySockets = new Map<SocketId, TransportAddress>()
  /** Relay sockets whose bind was put off; the test tells what becomes of them. */
  readonly pendingBinds = new Map<SocketId, TransportAddress>()
  #nextStream = firstStreamSocket

  constructor(options: Partial<TurnServerOptions> = {}, seed = 1) {
    this.random = seededRandom(seed)
    this.server = new TurnServer(
      {
        realm,
        credentials: staticCredentials(realm, [
          { name: 'alice', password: 'wonder' },
          { name: 'bob', password: 'builder' },
        ]),
        relays: [
          { address: relayAddress, external: relayAddress },
          { address: relayAddress6, external: relayAddress6 },
        ],
        relayPorts: { min: 50_000, max: 50_999 },
        peerPolicy: new PeerPolicy({ allow: [], deny: [] }),
        ownAddresses: [listening],
        ...options,
      },
      this.random,
    )
    this.server.addListener(listener, listening)
  }

  client(user = 'alice', password = 'wonder', address = this.newAddress()): TurnClient {
    return new TurnClient(this, address, user, password)
  }

  /** A client that has connected by TCP or TLS. */
  streamClient(transport: 'tcp' | 'tls' = 'tcp', user = 'alice', password = 'wonder'): TurnClient {
    const socket = socketId(this.#nextStream++)
    this.server.streamOpened(socket, transport, listening)
    return new TurnClient(this, this.newAddress(), user, password, socket)
  }

  newAddress(): TransportAddress {
    return TransportAddress.of(`203.0.113.${1 + this.random.below(250)}`, 1024 + this.random.below(60_000))
  }

  /**
   * Hands in a datagram and drains. It lies somewhere inside a longer array, as it does under a driver that batches.
   * The route is copied out, for it is only good until the next input.
   */
  handle({ socket, source, bytes }: Pick<Datagram, 'socket' | 'source' | 'bytes'>): Sent | undefined {
    const start = 1 + (this.#handled++ % 61)
    const end = start + bytes.length
    const memory = new Uint8Array(end + 64).fill(0xa5)
    memory.set(bytes, start)
    const route = this.server.handleDatagram({ socket, source, bytes: memory, start, end }, this.now)
    const sent = route === undefined ? undefined : materialize(route, memory)
    this.drain()
    return sent
  }

  fromPeer(socket: SocketId, source: TransportAddress, bytes: Uint8Array): Sent | undefined {
    return this.handle({ socket, source, bytes })
  }

  /** Lets time pass, with every timeout handled when it is due. */
  elapse(seconds: number): void {
    const end = later(this.now, seconds * 1000)
    for (;;) {
      const due = this.server.pollTimeout()
      if (due === undefined || due > end) break
      this.now = due
      this.server.handleTimeout(due)
      this.drain()
    }
    this.now = end
  }

  takeOutputs(): ServerOutput[] {
    const { outputs } = this
    this.outputs = []
    return outputs
  }

  drain(): void {
    for (let output = this.server.poll(); output !== undefined; output = this.server.poll()) {
      this.outputs.push(output)
      this.watch(output)
      if (output.type === 'close-relay') {
        this.relaySockets.delete(output.socket)
        this.pendingBinds.delete(output.socket)
      }
      if (output.type !== 'bind-relay' && output.type !== 'listen-relay') continue
      const reason = this.bindPolicy(output.address)
      if (reason === 'later') {
        this.pendingBinds.set(output.socket, output.address)
        continue
      }
      if (reason === undefined) {
        this.relaySockets.set(output.socket, output.address)
        this.server.relayBound(output.socket, this.now)
      } else this.server.relayFailed(output.socket, reason, this.now)
    }
  }
}

export interface RequestOptions {
  readonly transactionId?: Uint8Array
  readonly nonce?: string
  readonly key?: Uint8Array
  readonly username?: string
  /** No USERNAME, REALM, NONCE and MESSAGE-INTEGRITY at all. */
  readonly unauthenticated?: boolean
}

export class TurnClient {
  readonly harness: TurnHarness
  readonly address: TransportAddress
  readonly username: string
  readonly key: Uint8Array
  /** Where it comes in: the UDP listener, or a connection of its own. */
  readonly socket: SocketId
  nonce: string | undefined

  constructor(
    harness: TurnHarness,
    address: TransportAddress,
    username: string,
    password: string,
    socket = listener,
  ) {
    this.harness = harness
    this.socket = socket
    this.address = address
    this.username = username
    this.key = longTermKey(username, realm, password)
  }

  /** Sends the bytes, and gives the one message that came back to this client; undefined for silence. */
  exchange(bytes: Uint8Array): Message | undefined {
    this.harness.takeOutputs()
    this.harness.handle({ socket: this.socket, source: this.address, bytes })
    return this.lastAnswer()
  }

  lastAnswer(): Message | undefined {
    const sent = this.harness.outputs.filter(
      (output) => output.type === 'transmit' && output.destination.equals(this.address),
    )
    if (sent.length > 1) throw new Error(`${sent.length} answers to one request`)
    const [output] = sent
    if (output?.type !== 'transmit') return undefined
    const message = decodeMessage(output.bytes)
    if (typeof message === 'string') throw new Error(`the server sent ${message}`)
    return message
  }

  /** A request without credentials gives the nonce of the 401 that answers it. */
  challenge(): string {
    const answer = this.exchange(this.encode('Allocate', [], { unauthenticated: true }))
    return answer!.get('NONCE')!
  }

  encode(method: MethodName, attributes: readonly Attribute[], options: RequestOptions = {}): Uint8Array {
    const transactionId = options.transactionId ?? this.harness.random.bytes(12)
    if (options.unauthenticated === true) {
      return encodeMessage({ class: 'request', method, transactionId, attributes })
    }
    const credentials: Attribute[] = [
      ['USERNAME', options.username ?? this.username],
      ['REALM', realm],
      ['NONCE', options.nonce ?? this.nonce ?? ''],
    ]
    return encodeMessage(
      { class: 'request', method, transactionId, attributes: [...attributes, ...credentials] },
      { integrity: [{ algorithm: 'sha1', key: options.key ?? this.key }] },
    )
  }

  /** A signed request that carries one attribute of any type and bytes, well-formed or not. */
  encodeRaw(method: MethodName, type: number, value: Uint8Array): Uint8Array {
    const signed = this.encode(method, [])
    const attribute = new Uint8Array(4 + ((value.length + 3) & ~3))
    attribute.set([type >> 8, type & 255, value.length >> 8, value.length & 255])
    attribute.set(value, 4)
    const end = signed.length - 24
    const bytes = new Uint8Array(signed.length + attribute.length)
    bytes.set(signed.subarray(0, end))
    bytes.set(attribute, end)
    writeIntegrity(bytes, end + attribute.length, { algorithm: 'sha1', key: this.key })
    return bytes
  }

  /** An authenticated request and its answer, which has to be signed with the same key. */
  request(method: MethodName, attributes: readonly Attribute[] = [], options: RequestOptions = {}): Message {
    this.nonce ??= this.challenge()
    const answer = this.exchange(this.encode(method, attributes, options))
    if (answer === undefined) throw new Error(`no answer to ${method}`)
    if (!checkIntegrity(answer, { algorithm: 'sha1', key: this.key }))
      throw new Error('the answer is not signed')
    return answer
  }

  allocate(attributes: readonly Attribute[] = []): TransportAddress {
    const answer = this.request('Allocate', [['REQUESTED-TRANSPORT', 17], ...attributes])
    const relayed = answer.get('XOR-RELAYED-ADDRESS')
    if (relayed === undefined) throw new Error(`no allocation: ${answer.get('ERROR-CODE')?.code}`)
    return relayed
  }

  permit(...peers: TransportAddress[]): Message {
    return this.request(
      'CreatePermission',
      peers.map((peer) => ['XOR-PEER-ADDRESS', peer]),
    )
  }

  bindChannel(number: number, peer: TransportAddress): Message {
    return this.request('ChannelBind', [
      ['CHANNEL-NUMBER', number],
      ['XOR-PEER-ADDRESS', peer],
    ])
  }

  sendChannelData(number: number, data: Uint8Array): Sent | undefined {
    return this.raw(Uint8Array.of(number >> 8, number & 255, data.length >> 8, data.length & 255, ...data))
  }

  sendIndication(
    peer: TransportAddress,
    data: Uint8Array,
    more: readonly Attribute[] = [],
  ): Sent | undefined {
    return this.raw(
      encodeMessage({
        class: 'indication',
        method: 'Send',
        transactionId: this.harness.random.bytes(12),
        attributes: [['XOR-PEER-ADDRESS', peer], ['DATA', data], ...more],
      }),
    )
  }

  raw(bytes: Uint8Array): Sent | undefined {
    return this.harness.handle({ socket: this.socket, source: this.address, bytes })
  }

  /** The relay socket of this client's allocation. */
  relaySocketAt(relayed: TransportAddress): SocketId {
    for (const [socket, local] of this.harness.relaySockets) if (local.port === relayed.port) return socket
    throw new Error(`no relay socket at ${relayed}`)
  }
}

export function codeOf(message: Message | undefined): number | undefined {
  return message?.get('ERROR-CODE')?.code
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

function materialize(route: Route, bytes: Uint8Array): Sent {
  const payload = bytes.subarray(route.start, route.end)
  const out = new Uint8Array(route.headerLength + payload.length + route.padding)
  out.set(route.header.subarray(0, route.headerLength))
  out.set(payload, route.headerLength)
  return {
    socket: route.socket,
    destination: TransportAddress.from(route.destination).toString(),
    bytes: out,
    dontFragment: route.dontFragment,
  }
}
