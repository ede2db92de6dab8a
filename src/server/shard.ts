/** One TURN engine and its sockets: feeds datagrams in, carries out what comes out, and arms one timer. */

import { unreachable } from '../core/errors.ts'
import type { Clock, TlsCertificate } from '../core/host.ts'
import { type Datagram, type SocketId, socketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { packetOf } from '../net/route-packet.ts'
import type { UdpDriver, UdpDriverHandlers } from '../net/udp-driver.ts'
import type { AllocationRecord } from '../turn/allocation.ts'
import type { EndReason, Notice, ServerOutput } from '../turn/outputs.ts'
import type { PartnerRequest } from '../turn/partner/datagram.ts'
import type { QuotaDecision } from '../turn/quota-claims.ts'
import type { TurnServer } from '../turn/server.ts'
import { isStreamSocket } from '../turn/socket-numbers.ts'
import type { FetchAnswer, TransferKey } from '../turn/transfer-items.ts'
import type { StreamCounters } from './stream-counters.ts'
import type { StreamSide, StreamSideOwner } from './stream-side.ts'
import type { StreamListenOptions } from './streams.ts'

export interface ShardEvents {
  allocationCreated(allocation: AllocationRecord): void
  /** A mobile client has come to another address. */
  allocationMoved(allocation: AllocationRecord, from: TransportAddress): void
  allocationEnded(allocation: AllocationRecord, reason: EndReason, now: Instant): void
  /** Of what goes wrong outside: a wrong credential, answers held back. Few, whatever is sent. */
  notice(notice: Notice): void
  /** A packet or a relay socket that the system refused. */
  systemRefused(what: 'send' | 'relay-bind' | 'accept', reason: string): void
  /** A packet has hit a mistake of ours. It is dropped, and everybody else is served. */
  faulted(error: unknown): void
  /** A connection is over, for whatever reason, or never came to be. */
  streamEnded(transport: 'tcp' | 'tls', client: TransportAddress, reason: string): void
}

/** What a shard asks of the server that it is a part of, and that other shards ask too. */
export interface ShardDesk {
  /** May the user have that many more? `Shard.quotaDecided` is to be told, now or later. */
  claim(claim: number, userId: string, count: number): void
  giveBack(userId: string, count: number): void
  /** Does that engine have it? `Shard.fetched` is to be told, now or later. */
  fetch(id: number, owner: number, key: TransferKey): void
  /** Of the link to a partner: see partner-links.ts. */
  partner(output: PartnerInput): void
}

/** What an engine has for the link to a partner. */
export type PartnerInput = Extract<ServerOutput, { type: 'partner-datagram' | 'partner-forward' }>

/** What the link to a partner has for an engine. */
export type PartnerOrder =
  | { readonly type: 'send'; readonly link: number; readonly lane: number; readonly bytes: Uint8Array }
  | { readonly type: 'answer'; readonly link: number; readonly request: PartnerRequest }
  | {
      readonly type: 'partner'
      readonly link: number
      readonly addresses: readonly TransportAddress[] | undefined
    }
  | { readonly type: 'keys'; readonly keys: readonly Uint8Array[] }

export interface Listener {
  readonly local: TransportAddress
  readonly receiveBufferBytes: number | undefined
}

interface PendingListener {
  resolve(listener: Listener): void
  reject(reason: string): void
}

export class Shard {
  readonly #engine: TurnServer
  readonly #clock: Clock
  readonly #events: ShardEvents
  readonly #udp: UdpDriver
  readonly #streams: StreamSide | undefined
  readonly #desk: ShardDesk | undefined
  readonly #pendingListeners = new Map<SocketId, PendingListener>()
  readonly #listening = new Map<SocketId, TransportAddress>()
  #nextListener = 0
  #cancelTimer: () => void = () => {}
  #timerAt: Instant | undefined

  constructor(
    engine: TurnServer,
    clock: Clock,
    createDriver: (handlers: UdpDriverHandlers) => UdpDriver,
    createStreams: ((owner: StreamSideOwner) => StreamSide) | undefined,
    events: ShardEvents,
    desk?: ShardDesk,
  ) {
    this.#desk = desk
    this.#engine = engine
    this.#clock = clock
    this.#events = events
    this.#udp = createDriver({
      bound: (socket, local, receiveBufferBytes) => this.#bound(socket, local, receiveBufferBytes),
      bindFailed: (socket, reason) => this.#bindFailed(socket, reason),
      datagram: (datagram) => this.#handleDatagram(datagram),
      icmp: (socket, peer, type, code, data) => {
        engine.handleIcmp(socket, peer, type, code, data, clock.now())
        this.#drain()
      },
      sendFailed: (reason, packets) => {
        engine.counters.packetsRefused += packets
        events.systemRefused('send', reason)
      },
    })
    this.#streams = createStreams?.({
      message: (datagram) => this.#handleMessage(datagram),
      drain: () => this.#drain(),
      systemRefused: (what, reason) => events.systemRefused(what, reason),
      streamEnded: (transport, client, reason) => events.streamEnded(transport, client, reason),
    })
  }

  /** Undefined for a shard without streams. */
  get streamCounters(): StreamCounters | undefined {
    return this.#streams?.counters
  }

  /** Opens a listening socket. Rejects with the system's code, such as 'EADDRINUSE'. */
  listen(address: TransportAddress): Promise<Listener> {
    const id = socketId(this.#nextListener++)
    return new Promise((resolve, reject) => {
      this.#pendingListeners.set(id, { resolve, reject })
      this.#udp.bind(id, address)
    })
  }

  /** Closes the listening sockets of UDP and opens them again at the same addresses: the last ones of their ports then. */
  async reseat(): Promise<void> {
    for (const [id, local] of this.#listening) {
      this.#udp.close(id)
      this.#udp.flush()
      await new Promise<void>((resolve) => {
        // One that cannot be opened again is missing from now on: there is nobody to tell.
        this.#pendingListeners.set(id, { resolve: () => resolve(), reject: () => resolve() })
        this.#udp.bind(id, local)
      })
    }
  }

  /** Opens a listener for TCP or TLS. Rejects with the system's code, or with `configuration-invalid`. */
  async listenStream(options: StreamListenOptions): Promise<Listener> {
    if (this.#streams === undefined) throw new Error('a shard without streams')
    const local = await this.#streams.listen(options)
    this.#engine.addListener(socketId(this.#nextListener++), local, options.transport)
    return { local, receiveBufferBytes: undefined }
  }

  /** New TLS connections are served with these. Throws `configuration-invalid`, and keeps the old ones. */
  setCertificates(certificates: readonly TlsCertificate[]): void {
    this.#streams?.setCertificates(certificates)
  }

  /** What the desk was asked is decided; it is told with what it was asked. */
  quotaDecided(claim: number, userId: string, count: number, decision: QuotaDecision): void {
    this.#engine.quotaDecided(claim, userId, count, decision, this.#clock.now())
    this.#drain()
  }

  /** The answer to what the desk was asked to fetch. */
  fetched(id: number, answer: FetchAnswer): void {
    this.#engine.fetched(id, answer, this.#clock.now())
    this.#drain()
  }

  /** Does what the link to a partner asks for. */
  partnerOrder(order: PartnerOrder): void {
    const engine = this.#engine
    switch (order.type) {
      case 'send':
        engine.sendToPartner(order.link, order.lane, order.bytes)
        break
      case 'answer':
        engine.answerForPartner(order.link, order.request, this.#clock.now())
        break
      case 'partner':
        engine.setPartner(order.link, order.addresses)
        break
      case 'keys':
        engine.setPartnerKeys(order.keys)
        break
      default:
        unreachable(order)
    }
    this.#drain()
  }

  /** Hands over to another shard what its client has come for. */
  give(key: TransferKey, engine: number): FetchAnswer {
    const answer = this.#engine.give(key, engine, this.#clock.now())
    this.#drain()
    // The socket is closed before the other shard opens its own at the same port.
    this.#udp.flush()
    return answer
  }

  /** The allocations that there are, as they are now. */
  allocations(): AllocationRecord[] {
    return this.#engine.allocations().map(recordOf)
  }

  /** From now on there are no new allocations; those that there are go on. */
  retire(): void {
    this.#engine.retire()
  }

  /** Ends every allocation and closes every socket. No timer is left. */
  close(): void {
    this.#engine.closeAll()
    this.#drain()
    this.#streams?.closeAll()
    this.#udp.closeAll()
    this.#cancelTimer()
  }

  /** The engine does not throw. If it does, that is one packet's misfortune, not the end of every call. */
  #handleDatagram(datagram: Datagram): void {
    let isData = false
    try {
      const route = this.#engine.handleDatagram(datagram, this.#clock.now())
      if (route !== undefined) {
        isData = true
        if (isStreamSocket(route.socket)) this.#streams?.forward(route, datagram.bytes)
        else this.#udp.forward(route, datagram)
      }
    } catch (error) {
      this.#events.faulted(error)
    }
    // Data that passes moves no deadline, and to read the next one makes a number: garbage for every packet.
    if (this.#carryOutAll() || !isData) this.#armTimer()
  }

  /** A message from a stream: an array that is ours, where a datagram lies in the driver's memory. */
  #handleMessage(datagram: Datagram): void {
    try {
      const route = this.#engine.handleDatagram(datagram, this.#clock.now())
      if (route !== undefined) {
        if (isStreamSocket(route.socket)) this.#streams?.forward(route, datagram.bytes)
        else this.#udp.transmit(route.socket, route.destination, packetOf(route, datagram.bytes))
      }
    } catch (error) {
      this.#events.faulted(error)
    }
    this.#drain()
  }

  /** After every input: all outputs in order, then the timer. */
  #drain(): void {
    this.#carryOutAll()
    this.#armTimer()
  }

  /** Whether there was anything to carry out. */
  #carryOutAll(): boolean {
    let output = this.#engine.poll()
    if (output === undefined) return false
    for (; output !== undefined; output = this.#engine.poll()) this.#carryOut(output)
    return true
  }

  #carryOut(output: ServerOutput): void {
    switch (output.type) {
      case 'transmit':
        if (isStreamSocket(output.socket)) this.#streams?.send(output.socket, output.bytes)
        else this.#udp.transmit(output.socket, output.destination, output.bytes)
        return
      case 'bind-relay':
        this.#udp.bind(output.socket, output.address)
        return
      case 'close-relay':
        if (this.#streams?.closeRelay(output.socket) !== true) this.#udp.close(output.socket)
        return
      case 'listen-relay':
      case 'connect-peer':
      case 'bind-peer':
      case 'close-peer':
        this.#streams?.carryOut(output)
        return
      case 'allocation-created':
        this.#events.allocationCreated(output.allocation)
        return
      case 'allocation-moved':
        this.#events.allocationMoved(output.allocation, output.from)
        return
      case 'allocation-ended':
        this.#events.allocationEnded(output.allocation, output.reason, this.#clock.now())
        return
      case 'authorize':
        // No store that a shard is made with has to be waited for.
        this.#engine.authorized(output.id, [], this.#clock.now())
        return
      case 'claim-quota':
        this.#desk?.claim(output.claim, output.userId, output.count)
        return
      case 'return-quota':
        this.#desk?.giveBack(output.userId, output.count)
        return
      case 'partner-datagram':
      case 'partner-forward':
        this.#desk?.partner(output)
        return
      case 'fetch':
        this.#desk?.fetch(output.id, output.owner, output.key)
        return
      case 'authentication-failed':
      case 'answers-withheld':
        this.#events.notice(output)
        return
      default:
        unreachable(output)
    }
  }

  #bound(socket: SocketId, local: TransportAddress, receiveBufferBytes: number | undefined): void {
    const listener = this.#takePendingListener(socket)
    if (listener !== undefined) {
      this.#listening.set(socket, local)
      this.#engine.addListener(socket, local)
      listener.resolve({ local, receiveBufferBytes })
      return
    }
    this.#engine.relayBound(socket, this.#clock.now())
    this.#drain()
  }

  #bindFailed(socket: SocketId, reason: string): void {
    const listener = this.#takePendingListener(socket)
    if (listener !== undefined) {
      listener.reject(reason)
      return
    }
    this.#events.systemRefused('relay-bind', reason)
    this.#engine.relayFailed(socket, reason, this.#clock.now())
    this.#drain()
  }

  #takePendingListener(socket: SocketId): PendingListener | undefined {
    const pending = this.#pendingListeners.get(socket)
    this.#pendingListeners.delete(socket)
    return pending
  }

  #armTimer(): void {
    const at = this.#engine.pollTimeout()
    if (at === this.#timerAt) return
    this.#cancelTimer()
    this.#timerAt = at
    if (at === undefined) {
      this.#cancelTimer = () => {}
      return
    }
    this.#cancelTimer = this.#clock.schedule(at, () => {
      this.#timerAt = undefined
      this.#engine.handleTimeout(this.#clock.now())
      this.#drain()
    })
  }
}

/** A copy that can be kept, and sent to another thread. */
function recordOf(allocation: AllocationRecord): AllocationRecord {
  const { id, client, transport, relayTransport, relayedAddresses, username, createdAt } = allocation
  const { bytesFromClient, bytesToClient, packetsFromClient, packetsToClient } = allocation
  return {
    ...{ id, client, transport, relayTransport, relayedAddresses, username, createdAt },
    ...{ bytesFromClient, bytesToClient, packetsFromClient, packetsToClient },
  }
}
