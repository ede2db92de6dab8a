/**
 * Every allocation, permission and channel binding of a server, with the look-ups that the data path needs.
 * Knows nothing of messages; what is due is taken from the deadlines by the server.
 */

import { AddressTable } from '../core/address-table.ts'
import type { Deadlines } from '../core/deadlines.ts'
import { type Random, randomUint32 } from '../core/random.ts'
import type { SocketId } from '../core/sans-io.ts'
import { type Instant, later } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import { type Allocation, ChannelBinding, Permission, type RelayedTransportAddress } from './allocation.ts'
import type { Bandwidth } from './bandwidth.ts'
import type { ClientPath } from './client-path.ts'
import type { PeerConnection } from './peer-connection.ts'
import type { PendingAuthorization } from './pending-authorization.ts'
import type { Reservation } from './reservation.ts'
import type { RelayTransport } from './socket-numbers.ts'

export type Expirable =
  | RelayedTransportAddress
  | Permission
  | ChannelBinding
  | Reservation
  | PeerConnection
  | PendingAuthorization

export class Allocations {
  readonly #deadlines: Deadlines<Expirable>
  readonly #bandwidth: Bandwidth
  readonly #all = new Set<Allocation>()
  readonly #byClient: AddressTable<Allocation>
  readonly #byRelaySocket = new Map<SocketId, RelayedTransportAddress>()
  readonly #byRelayed: AddressTable<RelayedTransportAddress>
  readonly #permissions: AddressTable<Permission>
  readonly #channels: AddressTable<ChannelBinding>

  constructor(deadlines: Deadlines<Expirable>, bandwidth: Bandwidth, random: Random) {
    this.#deadlines = deadlines
    this.#bandwidth = bandwidth
    this.#byClient = new AddressTable(randomUint32(random))
    this.#byRelayed = new AddressTable(randomUint32(random))
    this.#permissions = new AddressTable(randomUint32(random))
    this.#channels = new AddressTable(randomUint32(random))
  }

  get size(): number {
    return this.#all.size
  }

  /** How many there are of each. */
  get sizes(): Readonly<Record<'allocations' | 'clients' | 'relayed' | 'permissions' | 'channels', number>> {
    return {
      allocations: this.#all.size,
      clients: this.#byClient.size,
      relayed: this.#byRelaySocket.size,
      permissions: this.#permissions.size,
      channels: this.#channels.size,
    }
  }

  all(): Allocation[] {
    return [...this.#all]
  }

  findByClient(socket: SocketId, client: AddressWords): Allocation | undefined {
    return this.#byClient.get(socket, client)
  }

  findByRelaySocket(socket: SocketId): RelayedTransportAddress | undefined {
    return this.#byRelaySocket.get(socket)
  }

  /** Who is reached at one of our own relayed transport addresses. */
  findByRelayed(
    address: AddressWords,
    transport: RelayTransport = 'udp',
  ): RelayedTransportAddress | undefined {
    return this.#byRelayed.get(scopes[transport], address)
  }

  /** The permission for the peer's IP address, if it is in force. */
  findPermission(relayed: RelayedTransportAddress, peer: AddressWords, now: Instant): Permission | undefined {
    const permission = this.#permissions.getIp(relayed.socket, peer)
    return permission !== undefined && permission.deadline > now ? permission : undefined
  }

  /** The channel bound to the peer's transport address, if it is in force. */
  findChannel(
    relayed: RelayedTransportAddress,
    peer: AddressWords,
    now: Instant,
  ): ChannelBinding | undefined {
    const channel = this.#channels.get(relayed.socket, peer)
    return channel !== undefined && channel.deadline > now ? channel : undefined
  }

  /** From here on its five-tuple is taken. It relays nothing before `activate`. */
  add(allocation: Allocation): void {
    this.#all.add(allocation)
    this.addPath(allocation, allocation)
  }

  /** As `add`, but its client is away: the allocation has no five-tuple until it comes. */
  addAway(allocation: Allocation): void {
    this.#all.add(allocation)
  }

  /** From here on the allocation is found by that half of a five-tuple (too). */
  addPath(allocation: Allocation, { socket, client }: ClientPath): void {
    this.#byClient.set(socket, client, allocation)
  }

  removePath({ socket, client }: ClientPath): void {
    this.#byClient.delete(socket, client)
  }

  addRelayed(relayed: RelayedTransportAddress): void {
    const { allocation } = relayed
    allocation.relayed = [...allocation.relayed, relayed]
    this.#byRelaySocket.set(relayed.socket, relayed)
  }

  /** From here on the allocation relays, for `allocation.lifetime` seconds. */
  activate(allocation: Allocation, now: Instant): void {
    allocation.state = 'active'
    allocation.bandwidth = this.#bandwidth.open(allocation.userId, allocation.rateSlot)
    const scope = scopes[allocation.relayTransport]
    for (const relayed of allocation.relayed) {
      this.#byRelayed.set(scope, relayed.address, relayed)
      this.#byRelayed.set(scope, relayed.local, relayed)
      this.refresh(relayed, allocation.lifetime, now)
    }
  }

  refresh(relayed: RelayedTransportAddress, lifetime: number, now: Instant): void {
    this.#deadlines.schedule(relayed, later(now, lifetime * 1000))
  }

  /** Installs or refreshes the permission for the peer's IP address. */
  permit(
    relayed: RelayedTransportAddress,
    peer: TransportAddress,
    lifetime: number,
    now: Instant,
  ): Permission {
    let permission = this.#permissions.getIp(relayed.socket, peer)
    if (permission === undefined) {
      permission = new Permission(relayed, peer, now)
      this.#permissions.setIp(relayed.socket, peer, permission)
      relayed.allocation.permissions ??= []
      relayed.allocation.permissions.push(permission)
    }
    this.#deadlines.schedule(permission, later(now, lifetime * 1000))
    return permission
  }

  /** Creates or refreshes a channel binding; the caller has checked that number and peer are free for it. */
  bindChannel(
    permission: Permission,
    number: number,
    peer: TransportAddress,
    lifetime: number,
    now: Instant,
  ): void {
    const { relayed } = permission
    const { allocation } = relayed
    allocation.channels ??= new Map()
    let channel = allocation.channels.get(number)
    if (channel === undefined) {
      channel = new ChannelBinding(permission, number, peer, now)
      allocation.channels.set(number, channel)
      this.#channels.set(relayed.socket, peer, channel)
    }
    channel.permission = permission
    this.#deadlines.schedule(channel, later(now, lifetime * 1000))
  }

  forgetPermission(permission: Permission): void {
    this.#deadlines.cancel(permission)
    this.#permissions.deleteIp(permission.relayed.socket, permission.peer)
    const { allocation } = permission.relayed
    const left = allocation.permissions?.filter((other) => other !== permission)
    allocation.permissions = left?.length === 0 ? undefined : left
  }

  forgetChannel(channel: ChannelBinding): void {
    this.#deadlines.cancel(channel)
    this.#channels.delete(channel.relayed.socket, channel.peer)
    const { allocation } = channel.relayed
    allocation.channels?.delete(channel.number)
    if (allocation.channels?.size === 0) allocation.channels = undefined
  }

  /** Takes one family out, its permissions and channels with it; the other family's stay (RFC 8656 §8.1). */
  removeRelayed(relayed: RelayedTransportAddress): void {
    const { allocation } = relayed
    this.#forgetAllOf(relayed)
    allocation.relayed = allocation.relayed.filter((other) => other !== relayed)
  }

  /** Takes the allocation out with all that it has. `relayed` stays readable, for the record. */
  remove(allocation: Allocation): void {
    for (const relayed of allocation.relayed) this.#forgetAllOf(relayed)
    this.removePath(allocation)
    if (allocation.mobility?.pending !== undefined) this.removePath(allocation.mobility.pending)
    this.#all.delete(allocation)
    if (allocation.bandwidth !== undefined) this.#bandwidth.close(allocation.userId)
    allocation.state = 'ended'
  }

  #forgetAllOf(relayed: RelayedTransportAddress): void {
    const { channels, permissions } = relayed.allocation
    for (const channel of channels?.values() ?? [])
      if (channel.relayed === relayed) this.forgetChannel(channel)
    for (const permission of permissions ?? [])
      if (permission.relayed === relayed) this.forgetPermission(permission)
    this.#deadlines.cancel(relayed)
    this.#byRelaySocket.delete(relayed.socket)
    const scope = scopes[relayed.allocation.relayTransport]
    for (const address of [relayed.address, relayed.local]) {
      if (this.#byRelayed.get(scope, address) === relayed) this.#byRelayed.delete(scope, address)
    }
  }
}

/** A port of UDP and one of TCP are two. */
const scopes: Readonly<Record<RelayTransport, number>> = { udp: 0, tcp: 1 }
