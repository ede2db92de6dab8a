/** Relay sockets: their numbers and ports are taken and given back together, here and nowhere else. */

import type { OutputQueue } from '../core/output-queue.ts'
import { type SocketId, socketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { ServerOutput } from './outputs.ts'
import type { Relay, Relays } from './relay-address.ts'
import { firstRelaySocket, type RelayTransport } from './socket-numbers.ts'

/** A socket that has been asked for, or is open. */
export interface RelaySocket {
  readonly socket: SocketId
  /** Where it is bound, on one of our relay addresses. */
  readonly local: TransportAddress
  /** What clients are told of it. */
  readonly address: TransportAddress
}

export class RelaySockets {
  readonly #relays: Relays
  readonly #outputs: OutputQueue<ServerOutput>
  readonly #freeNumbers: SocketId[] = []
  #nextNumber = firstRelaySocket

  constructor(relays: Relays, outputs: OutputQueue<ServerOutput>) {
    this.#relays = relays
    this.#outputs = outputs
  }

  /** Asks the world for a socket. The port has been taken from the relay's pool. */
  open({ address, external }: Relay, port: number, transport: RelayTransport): RelaySocket {
    const socket = this.#freeNumbers.shift() ?? socketId(this.#nextNumber++)
    const local = address.withPort(port)
    const told = external === address ? local : external.withPort(port)
    const type = transport === 'udp' ? 'bind-relay' : 'listen-relay'
    this.#outputs.push({ type, socket, address: local })
    return { socket, local, address: told }
  }

  /** Asks the world for a socket at a port that another engine has handed over; undefined for no relay of ours. */
  adopt(local: TransportAddress): RelaySocket | undefined {
    const relay = this.#relays.at(local)
    return relay === undefined ? undefined : this.open(relay, local.port, 'udp')
  }

  /** A UDP socket is bound: other engines may send to it. */
  opened({ local }: RelaySocket): void {
    this.#relays.at(local)?.ports.opened(local.port)
  }

  /** Closes the socket, and makes its port another engine's. */
  handOver(relaySocket: RelaySocket, engine: number): void {
    this.closeKeepingPort(relaySocket)
    this.#relays.at(relaySocket.local)?.ports.handOver(relaySocket.local.port, engine)
  }

  /** Closes the socket and gives back its number and its port. */
  close(relaySocket: RelaySocket): void {
    this.closeKeepingPort(relaySocket)
    this.releasePort(relaySocket.local)
  }

  /** As `close`, but the port stays taken until `releasePort`. */
  closeKeepingPort({ socket }: RelaySocket): void {
    this.#outputs.push({ type: 'close-relay', socket })
    this.forget(socket)
  }

  /** The socket never came to be: its number is free. Numbers are used again, so that drivers may index arrays. */
  forget(socket: SocketId): void {
    this.#freeNumbers.push(socket)
  }

  releasePort(local: TransportAddress): void {
    this.#relays.at(local)?.ports.release(local.port)
  }
}
