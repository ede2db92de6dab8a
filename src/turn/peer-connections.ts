/** Every peer data connection of a server (RFC 6062), by its number, its peer, and the client's connection for it. */

import { AddressTable } from '../core/address-table.ts'
import type { Deadlines } from '../core/deadlines.ts'
import { type Random, randomUint32 } from '../core/random.ts'
import type { SocketId } from '../core/sans-io.ts'
import { type Instant, later } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { Allocation, RelayedTransportAddress } from './allocation.ts'
import type { Expirable } from './allocations.ts'
import type { ServerCounters } from './counters.ts'
import { limits } from './options.ts'
import { type ConnectionId, PeerConnection, type PeerConnectionState } from './peer-connection.ts'

export class PeerConnections {
  readonly #deadlines: Deadlines<Expirable>
  readonly #counters: ServerCounters
  readonly #random: Random
  readonly #byId = new Map<ConnectionId, PeerConnection>()
  /** Within the relay socket: a peer is connected once with each relayed transport address. The latest counts. */
  readonly #byPeer: AddressTable<PeerConnection>
  readonly #byStream = new Map<SocketId, PeerConnection>()
  readonly #byAllocation = new Map<Allocation, Set<PeerConnection>>()

  constructor(deadlines: Deadlines<Expirable>, counters: ServerCounters, random: Random) {
    this.#deadlines = deadlines
    this.#counters = counters
    this.#random = random
    this.#byPeer = new AddressTable(randomUint32(random))
  }

  get size(): number {
    return this.#byId.size
  }

  find(id: ConnectionId): PeerConnection | undefined {
    return this.#byId.get(id)
  }

  findByPeer(relayed: RelayedTransportAddress, peer: AddressWords): PeerConnection | undefined {
    return this.#byPeer.get(relayed.socket, peer)
  }

  findByStream(stream: SocketId): PeerConnection | undefined {
    return this.#byStream.get(stream)
  }

  /** All of an allocation, in the order in which they came to be. */
  of(allocation: Allocation): PeerConnection[] {
    return [...(this.#byAllocation.get(allocation) ?? [])]
  }

  hasRoom(allocation: Allocation): boolean {
    return (this.#byAllocation.get(allocation)?.size ?? 0) < limits.connectionsPerAllocation
  }

  add(
    relayed: RelayedTransportAddress,
    peer: TransportAddress,
    state: PeerConnectionState,
    now: Instant,
  ): PeerConnection {
    const connection = new PeerConnection(this.#newId(), relayed, peer, state, now)
    this.#byId.set(connection.id, connection)
    this.#byPeer.set(relayed.socket, peer, connection)
    const siblings = this.#byAllocation.get(relayed.allocation) ?? new Set()
    this.#byAllocation.set(relayed.allocation, siblings.add(connection))
    if (state.name === 'waiting') this.#awaitClient(connection, now)
    this.#counters.peerConnections = this.size
    return connection
  }

  /** The connection is there. From now on the client has its time to come for it. */
  wait(connection: PeerConnection, now: Instant): void {
    connection.state = { name: 'waiting' }
    this.#awaitClient(connection, now)
  }

  bind(connection: PeerConnection, stream: SocketId): void {
    connection.state = { name: 'bound', stream }
    this.#deadlines.cancel(connection)
    this.#byStream.set(stream, connection)
  }

  remove(connection: PeerConnection): void {
    const { id, relayed, peer, state } = connection
    const { allocation } = relayed
    this.#deadlines.cancel(connection)
    this.#byId.delete(id)
    if (this.findByPeer(relayed, peer) === connection) this.#byPeer.delete(relayed.socket, peer)
    if (state.name === 'bound') this.#byStream.delete(state.stream)
    const siblings = this.#byAllocation.get(allocation)
    siblings?.delete(connection)
    if (siblings?.size === 0) this.#byAllocation.delete(allocation)
    this.#counters.peerConnections = this.size
  }

  #awaitClient(connection: PeerConnection, now: Instant): void {
    this.#deadlines.schedule(connection, later(now, limits.connectionBindSeconds * 1000))
  }

  /** Random, so that nobody can guess what another client is waiting for. */
  #newId(): ConnectionId {
    for (;;) {
      const id = randomUint32(this.#random)
      if (!this.#byId.has(id)) return id
    }
  }
}
