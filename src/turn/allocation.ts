/**
 * Allocations, single and dual, with their relayed transport addresses, permissions and channel bindings
 * (RFC 8656 §3, §6, §9, §12): what they hold, not what they do.
 */

import { unscheduled } from '../core/deadlines.ts'
import { isIPv4 } from '../core/ip.ts'
import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { Attribute } from '../stun/attributes.ts'
import type { AllocationBandwidth } from './bandwidth.ts'
import type { ClientPath } from './client-path.ts'
import type { AuthenticatedClient, Credential } from './credential.ts'
import type { Mobility } from './mobility.ts'
import type { ClientTransport, RelayTransport } from './socket-numbers.ts'

/** What others may see of an allocation: for logs, metrics and lists. */
export interface AllocationRecord {
  readonly id: string
  readonly client: TransportAddress
  readonly transport: ClientTransport
  /** What is relayed: UDP, or TCP (RFC 6062). */
  readonly relayTransport: RelayTransport
  /** As the client was told them: one, or an IPv4 and an IPv6 one. */
  readonly relayedAddresses: readonly TransportAddress[]
  readonly username: string
  readonly createdAt: Instant
  /** Application data, without headers. */
  readonly bytesFromClient: number
  readonly bytesToClient: number
  readonly packetsFromClient: number
  readonly packetsToClient: number
}

/** `binding`: relay sockets have been asked for; `active`: the client has been answered; `ended`: it is no more. */
export type AllocationState = 'binding' | 'active' | 'ended'

export interface AllocationOptions {
  readonly id: string
  readonly socket: SocketId
  readonly client: TransportAddress
  readonly transport: ClientTransport
  readonly relayTransport: RelayTransport
  readonly credential: Credential
  /** Whom it counts against; the credential's user unless given. */
  readonly userId?: string
  readonly transactionId: Uint8Array
  readonly lifetime: number
  readonly createdAt: Instant
}

export class Allocation implements AllocationRecord, AuthenticatedClient, ClientPath {
  readonly id: string
  /** Where data for the client goes. With a mobile client this changes. */
  socket: SocketId
  client: TransportAddress
  transport: ClientTransport
  readonly relayTransport: RelayTransport
  /** As last shown by its owner. */
  credential: Credential
  verifiedNonce: Uint8Array | undefined
  /** How much it may relay; undefined where nothing is limited. */
  bandwidth: AllocationBandwidth | undefined
  /** Where its user's rate is kept in shared memory; undefined where it is in none. */
  rateSlot: number | undefined
  /** Whose quota it counts against, whatever credential its owner shows later. */
  readonly userId: string
  readonly createdAt: Instant
  /** The Allocate request that made it: the same one again gets the same answer (RFC 8656 §7.2). */
  readonly transactionId: Uint8Array
  state: AllocationState = 'binding'
  /** Seconds, as granted by Allocate. */
  readonly lifetime: number
  /** What the Allocate request was told besides addresses and lifetime; undefined where that was nothing. */
  answered: readonly Attribute[] | undefined
  /** Undefined unless the client has asked for mobility. */
  mobility: Mobility | undefined
  /** One, or one of each family, in the order in which they were bound. */
  relayed: readonly RelayedTransportAddress[] = []
  /** Of all relayed transport addresses; undefined while there is none. */
  permissions: Permission[] | undefined
  /** By number, which is one space for both families; undefined before the first. */
  channels: Map<number, ChannelBinding> | undefined
  bytesFromClient = 0
  bytesToClient = 0
  packetsFromClient = 0
  packetsToClient = 0

  constructor(options: AllocationOptions) {
    this.id = options.id
    this.socket = options.socket
    this.client = options.client
    this.transport = options.transport
    this.relayTransport = options.relayTransport
    this.credential = options.credential
    this.userId = options.userId ?? options.credential.userId
    this.transactionId = options.transactionId
    this.lifetime = options.lifetime
    this.createdAt = options.createdAt
  }

  get username(): string {
    return this.credential.username
  }

  get relayedAddresses(): readonly TransportAddress[] {
    return this.relayed.map(({ address }) => address)
  }

  /** The relayed transport address that peers of this address's family are reached from. */
  relayedFor(peer: AddressWords): RelayedTransportAddress | undefined {
    for (const relayed of this.relayed) if (isSameFamily(relayed.address, peer)) return relayed
    return undefined
  }
}

/** Where an allocation meets its peers: one family's half of a dual allocation, or the whole of a single one. */
export class RelayedTransportAddress {
  readonly kind = 'relayed'
  readonly allocation: Allocation
  readonly socket: SocketId
  /** Where the socket is bound. */
  readonly local: TransportAddress
  /** As the client was told it. */
  readonly address: TransportAddress
  deadline: Instant
  heapIndex: number = unscheduled

  constructor(
    allocation: Allocation,
    socket: SocketId,
    local: TransportAddress,
    address: TransportAddress,
    now: Instant,
  ) {
    this.allocation = allocation
    this.socket = socket
    this.local = local
    this.address = address
    this.deadline = now
  }
}

/** Leave to exchange data with one IP address, whatever the port (RFC 8656 §9). */
export class Permission {
  readonly kind = 'permission'
  readonly relayed: RelayedTransportAddress
  /** The port means nothing. */
  readonly peer: TransportAddress
  deadline: Instant
  heapIndex: number = unscheduled

  constructor(relayed: RelayedTransportAddress, peer: TransportAddress, now: Instant) {
    this.relayed = relayed
    this.peer = peer
    this.deadline = now
  }
}

/** A channel number that stands for one peer (RFC 8656 §12). */
export class ChannelBinding {
  readonly kind = 'channel'
  readonly number: number
  readonly peer: TransportAddress
  /** The permission that was last seen to cover the peer. */
  permission: Permission
  deadline: Instant
  heapIndex: number = unscheduled

  constructor(permission: Permission, number: number, peer: TransportAddress, now: Instant) {
    this.number = number
    this.peer = peer
    this.permission = permission
    this.deadline = now
  }

  get relayed(): RelayedTransportAddress {
    return this.permission.relayed
  }
}

function isSameFamily(x: AddressWords, y: AddressWords): boolean {
  return isIPv4(x) === isIPv4(y)
}
