/**
 * Relayed transport addresses of TCP allocations and the connections between them and peers (RFC 6062), by the
 * engine's numbers. Until the client comes for it a connection is not read: its bytes wait in the system's buffers.
 */

import type { Host, StreamHandlers, StreamSocket, TcpListener } from '../core/host.ts'
import type { SocketId } from '../core/sans-io.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { ConnectionId } from '../turn/peer-connection.ts'
import { Pipe } from './pipe.ts'
import type { Streams } from './streams.ts'

export interface PeerRelayHandlers {
  bound(socket: SocketId): void
  bindFailed(socket: SocketId, reason: string): void
  connected(connection: ConnectionId): void
  failed(connection: ConnectionId): void
  /** The number of the connection; undefined to close it. */
  accepted(socket: SocketId, peer: AddressWords): ConnectionId | undefined
  /** The connection that was accepted is kept under its number. */
  told(): void
  closed(connection: ConnectionId): void
  /** How many milliseconds to read no more from there. */
  carried(connection: ConnectionId, fromClient: number, toClient: number): number
  acceptFailed(reason: string): void
}

export class PeerRelay {
  readonly #host: Host
  readonly #streams: Streams
  readonly #handlers: PeerRelayHandlers
  readonly #listeners = new Map<SocketId, TcpListener>()
  readonly #peers = new Map<ConnectionId, Peer>()

  constructor(host: Host, streams: Streams, handlers: PeerRelayHandlers) {
    this.#host = host
    this.#streams = streams
    this.#handlers = handlers
  }

  listen(socket: SocketId, address: TransportAddress): void {
    const handlers = this.#handlers
    const listener = this.#host.listenTcp(
      { address, isShared: true },
      {
        bound: () => handlers.bound(socket),
        failed: (reason) => {
          this.#listeners.delete(socket)
          handlers.bindFailed(socket, reason)
        },
        connection: (stream, remote) => this.#accept(socket, stream, remote),
        handshakeFailed: () => {},
        acceptFailed: (reason) => handlers.acceptFailed(reason),
      },
    )
    this.#listeners.set(socket, listener)
  }

  /** False for a number that is none of ours. */
  closeListener(socket: SocketId): boolean {
    this.#listeners.get(socket)?.close()
    return this.#listeners.delete(socket)
  }

  connect(id: ConnectionId, local: TransportAddress, remote: TransportAddress, timeoutMs: number): void {
    const peer: Peer = new Peer({
      opened: () => {
        peer.socket?.pause()
        this.#handlers.connected(id)
      },
      failed: () => {
        this.#peers.delete(id)
        this.#handlers.failed(id)
      },
      closed: () => this.#closed(id),
    })
    this.#peers.set(id, peer)
    peer.socket = this.#host.connectTcp({ remote, local, fromListener: true, timeoutMs }, peer)
  }

  /** Joins the peer's connection with the client's, which has come for it. */
  bind(id: ConnectionId, stream: SocketId): void {
    const peer = this.#peers.get(id)
    const pipe = new Pipe({
      clock: this.#host.clock,
      carried: (bytes, from) =>
        from === 'client' ? this.#handlers.carried(id, bytes, 0) : this.#handlers.carried(id, 0, bytes),
      ended: (reason) => {
        this.#streams.release(stream, reason)
        this.#closed(id)
      },
    })
    const client = this.#streams.handOver(stream, pipe.client)
    if (peer?.socket === undefined || client === undefined) {
      pipe.close(undefined)
      return
    }
    pipe.start(client, peer.socket)
    peer.handOver(pipe)
  }

  /** Closes the connection, and the client's that is joined with it. */
  close(id: ConnectionId): void {
    const peer = this.#peers.get(id)
    this.#peers.delete(id)
    peer?.close()
  }

  closeAll(): void {
    for (const listener of this.#listeners.values()) listener.close()
    this.#listeners.clear()
    for (const id of [...this.#peers.keys()]) this.close(id)
  }

  #accept(listening: SocketId, socket: StreamSocket, remote: TransportAddress): StreamHandlers {
    socket.pause()
    const id = this.#handlers.accepted(listening, remote)
    const peer = new Peer({ opened: () => {}, failed: () => {}, closed: () => this.#closed(id) })
    peer.socket = socket
    if (id === undefined) socket.close()
    else {
      this.#peers.set(id, peer)
      this.#handlers.told()
    }
    return peer
  }

  #closed(id: ConnectionId | undefined): void {
    if (id !== undefined && this.#peers.delete(id)) this.#handlers.closed(id)
  }
}

/** A peer's connection: it waits, unread, until a pipe takes it over. */
class Peer implements StreamHandlers {
  readonly #waiting: Pick<StreamHandlers, 'opened' | 'failed' | 'closed'>
  #pipe: Pipe | undefined
  #hasEnded = false
  socket: StreamSocket | undefined

  constructor(waiting: Pick<StreamHandlers, 'opened' | 'failed' | 'closed'>) {
    this.#waiting = waiting
  }

  handOver(pipe: Pipe): void {
    this.#pipe = pipe
    if (this.#hasEnded) pipe.peer.ended()
  }

  close(): void {
    if (this.#pipe === undefined) this.socket?.close()
    else this.#pipe.close('closed by the server')
  }

  opened(...session: Parameters<StreamHandlers['opened']>): void {
    this.#waiting.opened(...session)
  }

  failed(reason: string): void {
    this.#waiting.failed(reason)
  }

  data(bytes: Uint8Array): void {
    this.#pipe?.peer.data(bytes)
  }

  ended(): void {
    this.#hasEnded = true
    this.#pipe?.peer.ended()
  }

  closed(reason: string | undefined): void {
    if (this.#pipe === undefined) this.#waiting.closed(reason)
    else this.#pipe.peer.closed(reason)
  }

  drained(): void {
    this.#pipe?.peer.drained()
  }
}
