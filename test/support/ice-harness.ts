/**
 * Two IceAgents in simulated time, each behind a NAT if asked for, with a wire between them that delays, drops and tampers.
 * Every packet that either side sends is kept, with the time and the purpose. (src/sim is the real thing; this is small
 * enough to see through when an agent does something odd.)
 */

import { datagramOf, type SocketId, socketId } from '../../src/core/sans-io.ts'
import { type Instant, instant, later } from '../../src/core/time.ts'
import { formatAddress, TransportAddress } from '../../src/core/transport-address.ts'
import { IceAgent } from '../../src/ice/agent.ts'
import type { GatheredCandidate } from '../../src/ice/gathered-candidate.ts'
import type { InputVerdict } from '../../src/ice/inbound.ts'
import type { IceAgentOptions } from '../../src/ice/options.ts'
import type { IceOutput, TransmitPurpose } from '../../src/ice/outputs.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import { seededRandom } from './random.ts'
import { type NatBehavior, TinyNat } from './tiny-nat.ts'

export interface Packet {
  readonly from: string
  /** Milliseconds since the start. */
  readonly at: number
  /** Before any NAT. */
  readonly source: TransportAddress
  readonly destination: TransportAddress
  readonly bytes: Uint8Array
  readonly purpose: TransmitPurpose | 'data'
  readonly socket: SocketId
}

export interface Side {
  readonly name: string
  readonly agent: IceAgent
  readonly sockets: Map<SocketId, TransportAddress>
  /** Sockets that no NAT is in front of: relays. */
  readonly outside: Set<SocketId>
  readonly outputs: IceOutput[]
  readonly received: string[]
  nat: TinyNat | undefined
}

interface Scheduled {
  readonly at: number
  readonly order: number
  run(): void
}

interface TcpConnection {
  readonly ends: { readonly side: Side; readonly socket: SocketId }[]
}

export interface HarnessOptions {
  /** One way. */
  readonly delayMs?: number
  /** Says which packets are lost. */
  readonly lose?: (packet: Packet, index: number) => boolean
  readonly natA?: NatBehavior | undefined
  readonly natB?: NatBehavior | undefined
  readonly seed?: number
  /** Of the clock, when it begins. */
  readonly startMs?: number
}

export class IceHarness {
  now: Instant
  readonly start: Instant
  readonly packets: Packet[] = []
  readonly a: Side
  readonly b: Side
  delayMs: number
  lose: (packet: Packet, index: number) => boolean
  /** What a packet takes more than others, one way. */
  slow: (packet: Packet) => number = () => 0
  /** How often handleTimeout was called. */
  timeouts = 0
  readonly #queue: Scheduled[] = []
  readonly #connections = new Map<string, TcpConnection>()
  #order = 0
  #nextAccepted = 5000

  constructor(
    a: Partial<IceAgentOptions> = {},
    b: Partial<IceAgentOptions> = {},
    { delayMs = 25, lose = () => false, natA, natB, seed = 1, startMs = 1_000_000 }: HarnessOptions = {},
  ) {
    this.now = instant(startMs)
    this.start = this.now
    this.delayMs = delayMs
    this.lose = lose
    this.a = side('a', { role: 'controlling', ...a }, seed * 2, natA, '192.0.2.1')
    this.b = side('b', { role: 'controlled', ...b }, seed * 2 + 1, natB, '198.51.100.1')
  }

  other(of: Side): Side {
    return of === this.a ? this.b : this.a
  }

  /** Milliseconds since the start. */
  get elapsed(): number {
    return this.now - this.start
  }

  get isCompleted(): boolean {
    return this.a.agent.state === 'completed' && this.b.agent.state === 'completed'
  }

  /** A host candidate on a socket of its own. */
  addHost(to: Side, address: string, more: Partial<GatheredCandidate> = {}): SocketId {
    const socket = socketId(to.sockets.size + 1)
    const local = TransportAddress.parse(address)
    to.sockets.set(socket, local)
    this.add(to, { type: 'host', socket, address: local, ...more })
    return socket
  }

  /** What a STUN server would say of the socket. */
  addReflexive(to: Side, socket: SocketId): void {
    const base = to.sockets.get(socket)!
    const server = TransportAddress.parse('203.0.113.3:3478')
    const address = to.nat?.outbound(base, server) ?? base
    this.add(to, { type: 'srflx', socket, address, base, server })
  }

  addRelay(to: Side, address: string): SocketId {
    const socket = socketId(to.sockets.size + 1)
    const local = TransportAddress.parse(address)
    to.sockets.set(socket, local)
    to.outside.add(socket)
    this.add(to, { type: 'relay', socket, address: local, server: local })
    return socket
  }

  add(to: Side, gathered: GatheredCandidate): void {
    to.agent.addLocalCandidate(gathered, this.now)
    this.drain(to)
  }

  /** Hands what one side has to signal to the other: description and candidates, of the newest generation. */
  signal(from: Side): void {
    const to = this.other(from)
    const description = from.agent.localDescription
    to.agent.setRemoteDescription(description, this.now)
    for (const output of from.outputs) {
      if (output.type === 'local-candidate' && output.ufrag === description.ufrag) {
        to.agent.addRemoteCandidate(output.candidate, this.now, output.stream)
      }
    }
    this.drain(to)
  }

  signalBoth(): void {
    this.signal(this.a)
    this.signal(this.b)
  }

  endBoth(): void {
    for (const of of [this.a, this.b]) {
      of.agent.endOfLocalCandidates(this.now)
      of.agent.endOfRemoteCandidates(this.now)
      this.drain(of)
    }
  }

  /** A host candidate on each side, private and with its reflexive one behind a NAT, told to the other. */
  simple(): this {
    for (const of of [this.a, this.b]) {
      const [inside, outside] = of === this.a ? ['10.0.0.1', '192.0.2.1'] : ['10.0.0.2', '198.51.100.1']
      const socket = this.addHost(of, `${of.nat === undefined ? outside : inside}:5000`)
      if (of.nat !== undefined) this.addReflexive(of, socket)
    }
    this.signalBoth()
    return this
  }

  /** `simple()`, run until both sides have selected pairs. */
  connected(): this {
    this.simple()
    if (!this.runUntil(() => this.isCompleted, 10_000)) throw new Error('not connected')
    return this
  }

  /** Lets time pass until the condition holds; false if it did not within `limitMs`. */
  runUntil(condition: () => boolean, limitMs = 60_000): boolean {
    const end = later(this.now, limitMs)
    while (!condition()) {
      if (!this.#step(end)) {
        this.now = end
        return condition()
      }
    }
    return true
  }

  run(ms: number): void {
    this.runUntil(() => false, ms)
  }

  /** Sends user data on the path that the agent names; false if it names none. */
  sendData(from: Side, text: string): boolean {
    const path = from.agent.sendPath()
    if (path === undefined) return false
    const bytes = new TextEncoder().encode(text)
    path.countSent(bytes.length, this.now)
    this.#transmit(from, path.socket, path.destination, bytes, 'data')
    return true
  }

  /** Hands a packet to a side at once. */
  deliver(to: Side, source: TransportAddress, bytes: Uint8Array, socket = socketId(1)): InputVerdict {
    const verdict = to.agent.handleDatagram(datagramOf(socket, source, bytes), this.now)
    if (verdict === 'data') to.received.push(new TextDecoder().decode(bytes))
    this.drain(to)
    return verdict
  }

  drain(of: Side): void {
    for (let output = of.agent.poll(); output !== undefined; output = of.agent.poll()) {
      of.outputs.push(output)
      if (output.type === 'transmit') {
        this.#transmit(of, output.socket, output.destination, output.bytes, output.purpose)
      } else if (output.type === 'open-connection') this.#connect(of, output)
      else if (output.type === 'close-connection') this.closeConnection(of, output.connection)
    }
  }

  events<Type extends IceOutput['type']>(of: Side, type: Type): Extract<IceOutput, { type: Type }>[] {
    return of.outputs.filter((output) => output.type === type) as Extract<IceOutput, { type: Type }>[]
  }

  states(of: Side): string[] {
    return this.events(of, 'state').map((event) => event.state)
  }

  sent(from: Side, ...purposes: Packet['purpose'][]): Packet[] {
    return this.packets.filter((packet) => packet.from === from.name && purposes.includes(packet.purpose))
  }

  /** Ends a TCP connection as one side's close does: the other side hears of it. */
  closeConnection(of: Side, socket: SocketId): void {
    const connection = this.#connections.get(`${of.name} ${socket}`)
    if (connection === undefined) return
    for (const end of connection.ends) {
      this.#connections.delete(`${end.side.name} ${end.socket}`)
      if (end.side === of) continue
      this.#schedule(later(this.now, this.delayMs), () => {
        end.side.agent.connectionClosed(end.socket, undefined, this.now)
        this.drain(end.side)
      })
    }
  }

  /** As when the network has gone: both sides hear of it. */
  breakConnections(): void {
    for (const connection of new Set(this.#connections.values())) {
      for (const { side: of, socket } of connection.ends) {
        this.#connections.delete(`${of.name} ${socket}`)
        of.agent.connectionClosed(socket, 'ECONNRESET', this.now)
        this.drain(of)
      }
    }
  }

  get openConnections(): number {
    return new Set(this.#connections.values()).size
  }

  #transmit(
    from: Side,
    socket: SocketId,
    destination: TransportAddress,
    bytes: Uint8Array,
    purpose: Packet['purpose'],
  ): void {
    const connection = this.#connections.get(`${from.name} ${socket}`)
    const source = from.sockets.get(socket)
    if (source === undefined) throw new Error(`${from.name} sends from socket ${socket}, which is not open`)
    const packet = { from: from.name, at: this.elapsed, source, destination, bytes, purpose, socket }
    this.packets.push(packet)
    if (this.lose(packet, this.packets.length - 1)) return
    const to = this.other(from)
    if (connection !== undefined) {
      const end = connection.ends.find((candidate) => candidate.side === to)!
      this.#schedule(later(this.now, this.delayMs), () => this.deliver(to, source, bytes, end.socket))
      return
    }
    const isOutside = from.outside.has(socket)
    const seen = isOutside ? source : (from.nat?.outbound(source, destination) ?? source)
    const delayMs = this.delayMs + this.slow(packet)
    this.#schedule(later(this.now, delayMs), () => this.#arrive(to, seen, destination, bytes))
  }

  #arrive(to: Side, source: TransportAddress, destination: TransportAddress, bytes: Uint8Array): void {
    const behind = to.nat?.inbound(destination, source)
    for (const [socket, address] of to.sockets) {
      const isReached =
        to.nat === undefined || to.outside.has(socket)
          ? address.equals(destination)
          : behind?.equals(address) === true
      if (isReached) this.deliver(to, source, bytes, socket)
    }
  }

  #connect(from: Side, output: Extract<IceOutput, { type: 'open-connection' }>): void {
    const to = this.other(from)
    const { connection, remote, local } = output
    const listener = [...to.sockets].find(([, address]) => address.equals(remote))
    const port = local.port === 9 ? 40_000 + (connection % 1000) : local.port
    this.#schedule(later(this.now, this.delayMs * 2), () => {
      if (listener === undefined) {
        from.agent.connectionFailed(connection, 'ECONNREFUSED', this.now)
        this.drain(from)
        return
      }
      const accepted = socketId(this.#nextAccepted++)
      const pair = {
        ends: [
          { side: from, socket: connection },
          { side: to, socket: accepted },
        ],
      }
      for (const end of pair.ends) this.#connections.set(`${end.side.name} ${end.socket}`, pair)
      from.sockets.set(connection, local.withPort(port))
      to.sockets.set(accepted, remote)
      to.agent.connectionAccepted(accepted, listener[0])
      from.agent.connectionOpened(connection, this.now)
      this.drain(from)
    })
  }

  #schedule(at: Instant, run: () => void): void {
    this.#queue.push({ at, order: this.#order++, run })
    this.#queue.sort((x, y) => x.at - y.at || x.order - y.order)
  }

  /** What is next: a delivery, or a timeout of either side. False if nothing is before `end`. */
  #step(end: Instant): boolean {
    const due = [this.a, this.b].flatMap((of) => {
      const at = of.agent.pollTimeout()
      return at === undefined ? [] : [{ at: Math.max(at, this.now), of }]
    })
    due.sort((x, y) => x.at - y.at)
    const [timeout] = due
    const [delivery] = this.#queue
    const at = Math.min(timeout?.at ?? Infinity, delivery?.at ?? Infinity)
    if (at > end) return false
    this.now = instant(at)
    if (delivery !== undefined && delivery.at <= at) {
      this.#queue.shift()
      delivery.run()
      return true
    }
    this.timeouts++
    const { agent, name } = timeout!.of
    agent.handleTimeout(this.now)
    this.drain(timeout!.of)
    const next = agent.pollTimeout()
    if (next !== undefined && next <= this.now) throw new Error(`${name} wants to be called again at once`)
    return true
  }
}

function side(
  name: string,
  options: IceAgentOptions,
  seed: number,
  nat: NatBehavior | undefined,
  external: string,
): Side {
  return {
    name,
    agent: new IceAgent(options, seededRandom(seed)),
    sockets: new Map(),
    outside: new Set(),
    outputs: [],
    received: [],
    nat: nat === undefined ? undefined : new TinyNat(nat, external),
  }
}

export function decode(packet: { readonly bytes: Uint8Array }): Message {
  const message = decodeMessage(packet.bytes)
  if (typeof message === 'string') throw new Error(`not STUN: ${message}`)
  return message
}

/** Where both sides send, as `host → address`. */
export function pathOf(of: Side): string | undefined {
  const path = of.agent.sendPath()
  return path && `${of.sockets.get(path.socket)} → ${formatAddress(path.destination)}`
}

/** The types of the selected pair, ours and theirs, such as `srflx/prflx`. */
export function selectedTypes(of: Side): string | undefined {
  const pair = of.agent.pairs().find(({ isNominated }) => isNominated)
  return pair && `${pair.local.type}/${pair.remote.type}`
}
