/**
 * The clients of one engine that come by TCP and TLS: listeners, connections, and how long a connection may keep us
 * waiting. To the engine each connection is a socket of its own; to this file a message is bytes.
 */

import { Deadlines } from '../core/deadlines.ts'
import type {
  Host,
  StreamHandlers,
  StreamSocket,
  TcpListener,
  TlsCertificate,
  TlsServerOptions,
} from '../core/host.ts'
import { randomUint32 } from '../core/random.ts'
import { type Datagram, type SocketId, socketId } from '../core/sans-io.ts'
import { type Instant, later } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { FramingFault, FramingOptions } from '../stun/stream-framing.ts'
import type { Route } from '../turn/route.ts'
import { firstStreamSocket } from '../turn/socket-numbers.ts'
import { ConnectionLimit } from './connection-limit.ts'
import { StreamConnection, type StreamOwner } from './stream-connection.ts'
import { type CloseReason, StreamCounters } from './stream-counters.ts'

/** RFC 7443: what a client that uses ALPN asks for. */
const alpn = ['stun.turn', 'stun.nat-discovery']

export interface StreamsOptions extends FramingOptions {
  /** For a TLS handshake, and again for the first message. */
  readonly handshakeTimeoutMs: number
  /** Without a message and without an allocation. */
  readonly idleTimeoutMs: number
  /** Open at a time from one /32 or /64; 0 is no limit. */
  readonly connectionsPerAddress: number
}

export interface StreamsHandlers {
  /** `local` is where the client has found us. */
  opened(socket: SocketId, transport: 'tcp' | 'tls', local: TransportAddress): void
  /** A whole message. The datagram is overwritten by the next. */
  message(datagram: Datagram): void
  hasAllocation(socket: SocketId, client: AddressWords): boolean
  closed(socket: SocketId, client: AddressWords): void
  /** For the log: a connection is over, for whatever reason, or its handshake was. */
  ended(transport: 'tcp' | 'tls', client: TransportAddress, reason: string): void
  /** The system could not take a connection in. */
  acceptFailed(reason: string): void
}

export interface StreamListenOptions {
  readonly transport: 'tcp' | 'tls'
  readonly address: TransportAddress
  /** For `tls`. */
  readonly certificates: readonly TlsCertificate[]
}

export class Streams implements StreamOwner {
  readonly counters = new StreamCounters()
  readonly #host: Host
  readonly #options: StreamsOptions
  readonly #handlers: StreamsHandlers
  readonly #limit: ConnectionLimit
  readonly #connections = new Map<SocketId, StreamConnection>()
  readonly #listeners = new Map<TcpListener, 'tcp' | 'tls'>()
  readonly #deadlines = new Deadlines<StreamConnection>()
  readonly #freeIds: SocketId[] = []
  #nextId = firstStreamSocket
  #cancelTimer: () => void = () => {}
  #timerAt: Instant | undefined

  constructor(host: Host, options: StreamsOptions, handlers: StreamsHandlers) {
    this.#host = host
    this.#options = options
    this.#handlers = handlers
    this.#limit = new ConnectionLimit(options.connectionsPerAddress, randomUint32(host.random))
  }

  /** Opens a listener. Rejects with the system's code, or with `configuration-invalid` for a certificate. */
  listen({ transport, address, certificates }: StreamListenOptions): Promise<TransportAddress> {
    const tls: TlsServerOptions | undefined =
      transport === 'tls'
        ? { certificates, alpn, handshakeTimeoutMs: this.#options.handshakeTimeoutMs }
        : undefined
    return new Promise((resolve, reject) => {
      const listener = this.#host.listenTcp(
        { address, ...(tls === undefined ? {} : { tls }) },
        {
          bound: resolve,
          failed: (reason) => {
            this.#listeners.delete(listener)
            reject(reason)
          },
          admit: (remote) => this.#admit(remote),
          connection: (socket) => this.#accept(socket, transport),
          handshakeFailed: (reason, remote) => this.#handshakeFailed(reason, remote),
          acceptFailed: (reason) => this.#handlers.acceptFailed(reason),
        },
      )
      this.#listeners.set(listener, transport)
    })
  }

  /** New TLS connections are served with these. Throws `configuration-invalid`, and keeps the old ones. */
  setCertificates(certificates: readonly TlsCertificate[]): void {
    for (const [listener, transport] of this.#listeners) {
      if (transport === 'tls') listener.setCertificates(certificates)
    }
  }

  /** Sends a message of the engine's. A connection that is not there has just been closed. */
  send(socket: SocketId, bytes: Uint8Array): void {
    this.#connections.get(socket)?.send(bytes)
  }

  /** Sends what the route says of these bytes. */
  forward(route: Route, bytes: Uint8Array): void {
    this.#connections.get(route.socket)?.forward(route, bytes)
  }

  /**
   * Takes a connection out of the engine's hands and deadlines, for a successor. Its place is held until `release`.
   * Undefined if it has just been closed.
   */
  handOver(socket: SocketId, successor: StreamHandlers): StreamSocket | undefined {
    const connection = this.#connections.get(socket)
    if (connection === undefined) return undefined
    this.#deadlines.cancel(connection)
    this.#armTimer()
    return connection.handOver(successor)
  }

  /** What was handed over is over. */
  release(socket: SocketId, reason: string | undefined): void {
    const connection = this.#connections.get(socket)
    if (connection === undefined) return
    connection.close()
    this.#forget(connection, reason ?? 'ended in order')
  }

  /** Closes every listener and every connection, and is silent from then on. No timer is left. */
  closeAll(): void {
    for (const listener of this.#listeners.keys()) listener.close()
    for (const connection of this.#connections.values()) connection.close()
    this.#listeners.clear()
    this.#connections.clear()
    this.#cancelTimer()
  }

  message(_connection: StreamConnection, datagram: Datagram): void {
    this.#handlers.message(datagram)
  }

  fault(connection: StreamConnection, fault: FramingFault): void {
    this.#close(connection, fault)
  }

  ended(connection: StreamConnection, reason: string | undefined): void {
    this.#forget(connection, reason ?? 'ended by the client')
  }

  now(): Instant {
    return this.#host.clock.now()
  }

  #admit(remote: TransportAddress): boolean {
    if (this.#limit.admit(remote)) return true
    this.counters.refused++
    return false
  }

  #accept(socket: StreamSocket, transport: 'tcp' | 'tls'): StreamConnection {
    const id = this.#freeIds.pop() ?? socketId(this.#nextId++)
    const connection = new StreamConnection(id, transport, socket, this, this.#options)
    this.counters.accepted++
    this.counters.connections++
    this.#connections.set(id, connection)
    this.#handlers.opened(id, transport, socket.local)
    this.#deadlines.schedule(connection, later(this.now(), this.#options.handshakeTimeoutMs))
    this.#armTimer()
    return connection
  }

  #handshakeFailed(reason: string, remote: TransportAddress): void {
    this.#limit.release(remote)
    this.counters.handshakeFailures++
    this.#handlers.ended('tls', remote, reason)
  }

  #close(connection: StreamConnection, reason: CloseReason): void {
    this.counters.closed[reason]++
    connection.close()
    this.#forget(connection, reason)
  }

  #forget(connection: StreamConnection, reason: string): void {
    const { id, remote, transport } = connection
    if (!this.#connections.delete(id)) return
    this.counters.connections--
    this.#limit.release(remote)
    this.#deadlines.cancel(connection)
    this.#handlers.closed(id, remote)
    this.#handlers.ended(transport, remote, reason)
    this.#freeIds.push(id)
    this.#armTimer()
  }

  #handleTimeout(): void {
    const now = this.now()
    for (let due = this.#deadlines.takeDue(now); due !== undefined; due = this.#deadlines.takeDue(now)) {
      const { lastMessageAt } = due
      if (lastMessageAt === undefined) {
        this.#close(due, 'no-message')
        continue
      }
      const isBusy = this.#handlers.hasAllocation(due.id, due.remote)
      const idleAt = later(isBusy ? now : lastMessageAt, this.#options.idleTimeoutMs)
      if (idleAt > now) this.#deadlines.schedule(due, idleAt)
      else this.#close(due, 'idle')
    }
    this.#armTimer()
  }

  #armTimer(): void {
    const at = this.#deadlines.next
    if (at === this.#timerAt) return
    this.#cancelTimer()
    this.#timerAt = at
    this.#cancelTimer =
      at === undefined
        ? () => {}
        : this.#host.clock.schedule(at, () => {
            this.#timerAt = undefined
            this.#handleTimeout()
          })
  }
}
