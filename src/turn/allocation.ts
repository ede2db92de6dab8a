/** Allocations, permissions and channel bindings (RFC 8656 §3, §6, §9, §12): what they hold, not what they do. */

import { unscheduled } from '../core/deadlines.ts'
import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { AuthenticatedClient, Credential } from './credential.ts'
import type { ClientTransport } from './socket-numbers.ts'

/** What others may see of an allocation: for logs, metrics and lists. */
export interface AllocationRecord {
  readonly id: string
  readonly client: TransportAddress
  readonly transport: ClientTransport
  /** The relayed transport address as the client was told it. */
  readonly relayed: TransportAddress
  readonly username: string
  readonly createdAt: Instant
  /** Application data, without headers. */
  readonly bytesFromClient: number
  readonly bytesToClient: number
  readonly packetsFromClient: number
  readonly packetsToClient: number
}

/** `binding`: the relay socket has been asked for; `active`: the client has been answered. */
export type AllocationState = 'binding' | 'active'

export interface AllocationOptions {
  readonly id: string
  readonly socket: SocketId
  readonly client: TransportAddress
  readonly transport: ClientTransport
  readonly credential: Credential
  readonly transactionId: Uint8Array
  readonly lifetime: number
  readonly createdAt: Instant
}

export class Allocation implements AllocationRecord, AuthenticatedClient {
  readonly kind = 'allocation'
  readonly id: string
  /** The socket and the client's address: with our own address behind the socket, the five-tuple. */
  readonly socket: SocketId
  readonly client: TransportAddress
  readonly transport: ClientTransport
  /** As last shown by its owner. */
  credential: Credential
  verifiedNonce: Uint8Array | undefined
  readonly createdAt: Instant
  /** The Allocate request that made it: the same one again gets the same answer (RFC 8656 §7.2). */
  readonly transactionId: Uint8Array
  state: AllocationState = 'binding'
  /** Seconds, as last granted. */
  lifetime: number
  relaySocket: SocketId
  /** Where the relay socket is bound. */
  relayLocal: TransportAddress
  relayed: TransportAddress
  readonly permissions = new Set<Permission>()
  readonly channels = new Map<number, ChannelBinding>()
  bytesFromClient = 0
  bytesToClient = 0
  packetsFromClient = 0
  packetsToClient = 0
  deadline: Instant
  heapIndex: number = unscheduled

  constructor(
    options: AllocationOptions,
    relaySocket: SocketId,
    local: TransportAddress,
    relayed: TransportAddress,
  ) {
    this.id = options.id
    this.socket = options.socket
    this.client = options.client
    this.transport = options.transport
    this.credential = options.credential
    this.transactionId = options.transactionId
    this.lifetime = options.lifetime
    this.createdAt = options.createdAt
    this.deadline = options.createdAt
    this.relaySocket = relaySocket
    this.relayLocal = local
    this.relayed = relayed
  }

  get username(): string {
    return this.credential.username
  }
}

/** Leave to exchange data with one IP address, whatever the port (RFC 8656 §9). */
export class Permission {
  readonly kind = 'permission'
  readonly allocation: Allocation
  /** The port means nothing. */
  readonly peer: TransportAddress
  deadline: Instant
  heapIndex: number = unscheduled

  constructor(allocation: Allocation, peer: TransportAddress, now: Instant) {
    this.allocation = allocation
    this.peer = peer
    this.deadline = now
  }
}

/** A channel number that stands for one peer (RFC 8656 §12). */
export class ChannelBinding {
  readonly kind = 'channel'
  readonly allocation: Allocation
  readonly number: number
  readonly peer: TransportAddress
  /** The permission that was last seen to cover the peer. */
  permission: Permission
  deadline: Instant
  heapIndex: number = unscheduled

  constructor(
    allocation: Allocation,
    number: number,
    peer: TransportAddress,
    permission: Permission,
    now: Instant,
  ) {
    this.allocation = allocation
    this.number = number
    this.peer = peer
    this.permission = permission
    this.deadline = now
  }
}
