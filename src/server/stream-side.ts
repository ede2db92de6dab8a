/**
 * What of a shard is about TCP and TLS: connections of clients, and with peers (RFC 6062). A shard in a thread without
 * streams has none of it.
 */

import { unreachable } from '../core/errors.ts'
import type { Host, TlsCertificate } from '../core/host.ts'
import type { Datagram, SocketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { ServerOutput } from '../turn/outputs.ts'
import type { Route } from '../turn/route.ts'
import type { TurnServer } from '../turn/server.ts'
import { PeerRelay } from './peer-relay.ts'
import type { StreamCounters } from './stream-counters.ts'
import { type StreamListenOptions, Streams, type StreamsOptions } from './streams.ts'

/** The outputs of an engine that are carried out here. */
export type StreamOutput = Extract<
  ServerOutput,
  { type: 'listen-relay' | 'connect-peer' | 'bind-peer' | 'close-peer' }
>

export interface StreamSideOwner {
  /** A whole message of a client. The datagram is overwritten by the next. */
  message(datagram: Datagram): void
  /** The engine has been told something: its outputs are to be carried out. */
  drain(): void
  systemRefused(what: 'accept' | 'relay-bind', reason: string): void
  streamEnded(transport: 'tcp' | 'tls', client: TransportAddress, reason: string): void
}

export class StreamSide {
  readonly #streams: Streams
  readonly #peers: PeerRelay

  constructor(engine: TurnServer, host: Host, options: StreamsOptions, owner: StreamSideOwner) {
    const { clock } = host
    /** Tells the engine something, and carries out what it says to that. */
    const tell = <Answer>(input: () => Answer): Answer => {
      const answer = input()
      owner.drain()
      return answer
    }
    this.#streams = new Streams(host, options, {
      opened: (socket, transport, local) => engine.streamOpened(socket, transport, local),
      message: (datagram) => owner.message(datagram),
      hasAllocation: (socket, client) => engine.hasAllocation(socket, client),
      closed: (socket, client) => tell(() => engine.streamClosed(socket, client)),
      acceptFailed: (reason) => owner.systemRefused('accept', reason),
      ended: (transport, client, reason) => owner.streamEnded(transport, client, reason),
    })
    this.#peers = new PeerRelay(host, this.#streams, {
      bound: (socket) => tell(() => engine.relayBound(socket, clock.now())),
      bindFailed: (socket, reason) => {
        owner.systemRefused('relay-bind', reason)
        tell(() => engine.relayFailed(socket, reason, clock.now()))
      },
      connected: (connection) => tell(() => engine.peerConnected(connection, clock.now())),
      failed: (connection) => tell(() => engine.peerFailed(connection)),
      accepted: (socket, peer) => engine.peerAccepted(socket, peer, clock.now()),
      told: () => owner.drain(),
      closed: (connection) => tell(() => engine.peerClosed(connection)),
      carried: (connection, fromClient, toClient) =>
        engine.peerData(connection, fromClient, toClient, clock.now()),
      acceptFailed: (reason) => owner.systemRefused('accept', reason),
    })
  }

  get counters(): StreamCounters {
    return this.#streams.counters
  }

  /** Opens a listener. Rejects with the system's code, or with `configuration-invalid` for a certificate. */
  listen(options: StreamListenOptions): Promise<TransportAddress> {
    return this.#streams.listen(options)
  }

  /** New TLS connections are served with these. Throws `configuration-invalid`, and keeps the old ones. */
  setCertificates(certificates: readonly TlsCertificate[]): void {
    this.#streams.setCertificates(certificates)
  }

  send(socket: SocketId, bytes: Uint8Array): void {
    this.#streams.send(socket, bytes)
  }

  /** Sends what the route says of these bytes. */
  forward(route: Route, bytes: Uint8Array): void {
    this.#streams.forward(route, bytes)
  }

  carryOut(output: StreamOutput): void {
    switch (output.type) {
      case 'listen-relay':
        this.#peers.listen(output.socket, output.address)
        return
      case 'connect-peer':
        this.#peers.connect(output.connection, output.local, output.peer, output.timeoutMs)
        return
      case 'bind-peer':
        this.#peers.bind(output.connection, output.stream)
        return
      case 'close-peer':
        this.#peers.close(output.connection)
        return
      default:
        unreachable(output)
    }
  }

  /** False for a relay socket that is not of TCP. */
  closeRelay(socket: SocketId): boolean {
    return this.#peers.closeListener(socket)
  }

  closeAll(): void {
    this.#peers.closeAll()
    this.#streams.closeAll()
  }
}
