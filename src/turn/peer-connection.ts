/** A TCP connection between a relayed transport address and a peer (RFC 6062 §3): a peer data connection. */

import { unscheduled } from '../core/deadlines.ts'
import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { RelayedTransportAddress } from './allocation.ts'
import type { ReplyAddress } from './outcome.ts'

/** The value of CONNECTION-ID, by which the connection is known to the client and to the driver. */
export type ConnectionId = number

/**
 * `connecting`: the world has been asked for it, and the Connect request waits; `waiting`: it is there, unread, until
 * the client comes for it; `bound`: what arrives at either side goes out at the other.
 */
export type PeerConnectionState =
  | { readonly name: 'connecting'; readonly reply: ReplyAddress }
  | { readonly name: 'waiting' }
  | { readonly name: 'bound'; readonly stream: SocketId }

export class PeerConnection {
  readonly kind = 'peer-connection'
  readonly id: ConnectionId
  readonly relayed: RelayedTransportAddress
  /** As the client knows it. */
  readonly peer: TransportAddress
  state: PeerConnectionState
  /** Of `waiting`. */
  deadline: Instant
  heapIndex: number = unscheduled

  constructor(
    id: ConnectionId,
    relayed: RelayedTransportAddress,
    peer: TransportAddress,
    state: PeerConnectionState,
    now: Instant,
  ) {
    this.id = id
    this.relayed = relayed
    this.peer = peer
    this.state = state
    this.deadline = now
  }
}
