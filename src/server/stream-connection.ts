/**
 * One client's TCP or TLS connection: bytes to messages on the way in, and on the way out a bound on what waits for
 * a client that does not read. Whole messages are dropped then, never parts of one.
 */

import { unscheduled } from '../core/deadlines.ts'
import type { StreamHandlers, StreamSocket } from '../core/host.ts'
import type { Datagram, SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { packetOf } from '../net/route-packet.ts'
import { type FramingFault, type FramingOptions, StreamFramer } from '../stun/stream-framing.ts'
import type { Route } from '../turn/route.ts'
import type { StreamCounters } from './stream-counters.ts'

export const streamLimits = {
  /**
   * Limit: relayed data that waits for one client, beside what the system's own buffers hold. A quarter of a second
   * of 8 Mbit/s: data that is older is worth nothing to a call (coturn: 32 KiB).
   */
  pendingDataBytes: 256 * 1024,
  /** Limit: with answers, which a client that is busy with data still gets. */
  pendingBytes: 256 * 1024 + 64 * 1024,
} as const

export interface StreamOwner {
  readonly counters: StreamCounters
  /** A whole message; the datagram is overwritten by the next. */
  message(connection: StreamConnection, datagram: Datagram): void
  fault(connection: StreamConnection, fault: FramingFault): void
  /** The client, or the system, has ended the connection. */
  ended(connection: StreamConnection, reason: string | undefined): void
  now(): Instant
}

type ReusedDatagram = { -readonly [Key in keyof Datagram]: Datagram[Key] }

export class StreamConnection implements StreamHandlers {
  readonly id: SocketId
  readonly transport: 'tcp' | 'tls'
  readonly remote: TransportAddress
  readonly #socket: StreamSocket
  readonly #owner: StreamOwner
  readonly #framer: StreamFramer
  readonly #datagram: ReusedDatagram
  #isClosed = false
  /** Who has taken the connection over, for other bytes than messages. */
  #successor: StreamHandlers | undefined
  /** When the last bytes with a whole message in them came; undefined before the first. */
  lastMessageAt: Instant | undefined
  deadline: Instant
  heapIndex: number = unscheduled

  constructor(
    id: SocketId,
    transport: 'tcp' | 'tls',
    socket: StreamSocket,
    owner: StreamOwner,
    framing: FramingOptions,
  ) {
    this.id = id
    this.transport = transport
    this.remote = socket.remote
    this.#socket = socket
    this.#owner = owner
    this.#framer = new StreamFramer(framing)
    this.#datagram = { socket: id, source: socket.remote, bytes: noBytes, start: 0, end: 0 }
    this.deadline = owner.now()
  }

  data(bytes: Uint8Array): void {
    if (this.#successor !== undefined) {
      this.#successor.data(bytes)
      return
    }
    const framer = this.#framer
    const datagram = this.#datagram
    framer.push(bytes)
    let hasMessage = false
    while (framer.advance()) {
      hasMessage = true
      datagram.bytes = framer.bytes
      datagram.start = framer.start
      datagram.end = framer.end
      this.#owner.message(this, datagram)
      if (this.#isClosed) return
      if (this.#successor !== undefined) {
        const rest = framer.takeRest()
        if (rest.length > 0) this.data(rest)
        return
      }
    }
    if (hasMessage) this.lastMessageAt = this.#owner.now()
    if (framer.fault !== undefined) this.#owner.fault(this, framer.fault)
  }

  /** What arrives from here on is the successor's, and so is what becomes of the socket, which is returned. */
  handOver(successor: StreamHandlers): StreamSocket {
    this.#successor = successor
    return this.#socket
  }

  /** Sends a whole message: an answer, or an indication of our own. */
  send(bytes: Uint8Array): void {
    if (this.#hasRoom(bytes.length, streamLimits.pendingBytes)) this.#socket.write(bytes)
  }

  /** Sends what the route says of these bytes, as one message. */
  forward(route: Route, bytes: Uint8Array): void {
    const length = route.headerLength + route.end - route.start + route.padding
    if (this.#hasRoom(length, streamLimits.pendingDataBytes)) this.#socket.write(packetOf(route, bytes))
  }

  /** Closes at once. No more is heard of it. */
  close(): void {
    this.#isClosed = true
    this.#socket.close()
  }

  /** A client that will send no more is gone: an allocation needs refreshing. */
  ended(): void {
    if (this.#successor !== undefined) this.#successor.ended()
    else this.#end(undefined)
  }

  closed(reason: string | undefined): void {
    if (this.#successor !== undefined) this.#successor.closed(reason)
    else this.#end(reason)
  }

  drained(): void {
    this.#successor?.drained()
  }

  opened(): void {}
  failed(): void {}

  #end(reason: string | undefined): void {
    if (this.#isClosed) return
    this.close()
    this.#owner.ended(this, reason)
  }

  #hasRoom(length: number, limit: number): boolean {
    if (this.#socket.pendingBytes + length <= limit) return true
    this.#owner.counters.messagesDropped++
    this.#owner.counters.bytesDropped += length
    return false
  }
}

const noBytes = new Uint8Array(0)
