/**
 * What becomes of peer data connections (RFC 6062 §5.2, §5.3, §5.5): made, accepted, over. Their bytes do not come
 * through here; the driver joins the two connections, and tells how much has gone through.
 */

import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import { type AddressWords, TransportAddress } from '../core/transport-address.ts'
import { encodeMessage } from '../stun/encode.ts'
import type { RelayedTransportAddress } from './allocation.ts'
import { endPeerConnection } from './ending.ts'
import { neighbourAt } from './methods/connect.ts'
import { reject, succeed } from './outcome.ts'
import type { ConnectionId } from './peer-connection.ts'
import type { ServerState } from './request.ts'

export class TcpRelaying {
  readonly #state: ServerState

  constructor(state: ServerState) {
    this.#state = state
  }

  connected(id: ConnectionId, now: Instant): void {
    const { connections, answers } = this.#state
    const connection = connections.find(id)
    if (connection?.state.name !== 'connecting') return
    const { reply } = connection.state
    connections.wait(connection, now)
    answers.answer(reply, succeed(['CONNECTION-ID', id]))
  }

  failed(id: ConnectionId): void {
    const { connections, answers } = this.#state
    const connection = connections.find(id)
    if (connection?.state.name !== 'connecting') return
    const { reply } = connection.state
    connections.remove(connection)
    answers.answer(reply, reject(447))
  }

  /** The number of a connection that a peer has made; undefined where it is to be closed at once. */
  accepted(socket: SocketId, source: AddressWords, now: Instant): ConnectionId | undefined {
    const { allocations, connections, counters } = this.#state
    const relayed = allocations.findByRelaySocket(socket)
    const peer = relayed === undefined ? undefined : this.#permitted(relayed, source, now)
    if (relayed === undefined || peer === undefined) {
      counters.drops['no-permission']++
      return undefined
    }
    // The two may have called each other at once. Then this is the connection there will be, and ours comes to nothing.
    const other = connections.findByPeer(relayed, peer)
    const isTaken = other !== undefined && other.state.name !== 'connecting'
    if (isTaken || !connections.hasRoom(relayed.allocation)) {
      counters.drops['no-room']++
      return undefined
    }
    const { id } = connections.add(relayed, peer, { name: 'waiting' }, now)
    this.#tell(relayed, peer, id)
    return id
  }

  /** Either side has ended, in whatever state it was. */
  closed(id: ConnectionId): void {
    const connection = this.#state.connections.find(id)
    if (connection !== undefined) this.#state.connections.remove(connection)
  }

  /** The client's connection is gone: so is the peer's. */
  streamClosed(stream: SocketId): void {
    const connection = this.#state.connections.findByStream(stream)
    if (connection !== undefined) endPeerConnection(this.#state, connection)
  }

  /** For how many milliseconds the connection is to rest, so that the allocation keeps to its bandwidth. */
  carried(id: ConnectionId, fromClient: number, toClient: number, now: Instant): number {
    const { connections, counters } = this.#state
    const allocation = connections.find(id)?.relayed.allocation
    if (allocation === undefined) return 0
    allocation.bytesFromClient += fromClient
    allocation.bytesToClient += toClient
    counters.bytesFromClient += fromClient
    counters.bytesToClient += toClient
    return allocation.bandwidth?.charge(fromClient, toClient, now) ?? 0
  }

  /** The peer as the client knows it, if it may connect: by permission, and by the policy that holds for sending too. */
  #permitted(
    relayed: RelayedTransportAddress,
    source: AddressWords,
    now: Instant,
  ): TransportAddress | undefined {
    const { allocations, peers } = this.#state
    const neighbour = neighbourAt(allocations, source)
    const peer = neighbour?.address ?? TransportAddress.from(source)
    const verdict = peers.judge(peer)
    if (verdict === 'forbidden' || (verdict === 'inside' && neighbour === undefined)) return undefined
    return allocations.findPermission(relayed, peer, now) === undefined ? undefined : peer
  }

  #tell({ allocation }: RelayedTransportAddress, peer: TransportAddress, id: ConnectionId): void {
    const bytes = encodeMessage({
      class: 'indication',
      method: 'ConnectionAttempt',
      transactionId: this.#state.random.bytes(12),
      attributes: [
        ['CONNECTION-ID', id],
        ['XOR-PEER-ADDRESS', peer],
      ],
    })
    const { socket, client } = allocation
    this.#state.outputs.push({ type: 'transmit', socket, destination: client, bytes })
  }
}
