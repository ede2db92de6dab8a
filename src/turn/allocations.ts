/**
 * Every allocation, permission and channel binding of a server, with the look-ups that the data path needs and
 * all their deadlines in one heap. Knows nothing of messages.
 */

import { AddressTable } from '../core/address-table.ts'
import { Deadlines, unscheduled } from '../core/deadlines.ts'
import { type Random, randomUint32 } from '../core/random.ts'
import type { SocketId } from '../core/sans-io.ts'
import { type Instant, later } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import { type Allocation, ChannelBinding, Permission } from './allocation.ts'

export type Expirable = Allocation | Permission | ChannelBinding

export class Allocations {
  readonly #byClient: AddressTable<Allocation>
  readonly #byRelaySocket = new Map<SocketId, Allocation>()
  readonly #byRelayed: AddressTable<Allocation>
  readonly #permissions: AddressTable<Permission>
  readonly #channels: AddressTable<ChannelBinding>
  readonly #countByUser = new Map<string, number>()
  readonly #deadlines = new Deadlines<Expirable>()

  constructor(random: Random) {
    this.#byClient = new AddressTable(randomUint32(random))
    this.#byRelayed = new AddressTable(randomUint32(random))
    this.#permissions = new AddressTable(randomUint32(random))
    this.#channels = new AddressTable(randomUint32(random))
  }

  get size(): number {
    return this.#byRelaySocket.size
  }

  get nextDeadline(): Instant | undefined {
    return this.#deadlines.next
  }

  countOf(username: string): number {
    return this.#countByUser.get(username) ?? 0
  }

  all(): Allocation[] {
    return [...this.#byRelaySocket.values()]
  }

  findByClient(socket: SocketId, client: AddressWords): Allocation | undefined {
    return this.#byClient.get(socket, client)
  }

  findByRelaySocket(socket: SocketId): Allocation | undefined {
    return this.#byRelaySocket.get(socket)
  }

  /** The allocation that is reached at one of our own relayed transport addresses. */
  findByRelayed(address: AddressWords): Allocation | undefined {
    return this.#byRelayed.get(0, address)
  }

  /** The permission for the peer's IP address, if it is in force. */
  findPermission(allocation: Allocation, peer: AddressWords, now: Instant): Permission | undefined {
    const permission = this.#permissions.getIp(allocation.relaySocket, peer)
    return permission !== undefined && permission.deadline > now ? permission : undefined
  }

  /** The channel bound to the peer's transport address, if it is in force. */
  findChannel(allocation: Allocation, peer: AddressWords, now: Instant): ChannelBinding | undefined {
    const channel = this.#channels.get(allocation.relaySocket, peer)
    return channel !== undefined && channel.deadline > now ? channel : undefined
  }

  add(allocation: Allocation): void {
    this.#byClient.set(allocation.socket, allocation.client, allocation)
    this.#byRelaySocket.set(allocation.relaySocket, allocation)
    this.#countByUser.set(allocation.username, this.countOf(allocation.username) + 1)
  }

  /** The allocation tries another relay socket, before it is active. */
  moveRelay(
    allocation: Allocation,
    socket: SocketId,
    local: TransportAddress,
    relayed: TransportAddress,
  ): void {
    this.#byRelaySocket.delete(allocation.relaySocket)
    allocation.relaySocket = socket
    allocation.relayLocal = local
    allocation.relayed = relayed
    this.#byRelaySocket.set(socket, allocation)
  }

  /** From here on the allocation relays, for `allocation.lifetime` seconds. */
  activate(allocation: Allocation, now: Instant): void {
    allocation.state = 'active'
    this.#byRelayed.set(0, allocation.relayed, allocation)
    this.#byRelayed.set(0, allocation.relayLocal, allocation)
    this.refresh(allocation, allocation.lifetime, now)
  }

  refresh(allocation: Allocation, lifetime: number, now: Instant): void {
    allocation.lifetime = lifetime
    this.#deadlines.schedule(allocation, later(now, lifetime * 1000))
  }

  /** Installs or refreshes the permission for the peer's IP address. */
  permit(allocation: Allocation, peer: TransportAddress, lifetime: number, now: Instant): Permission {
    let permission = this.#permissions.getIp(allocation.relaySocket, peer)
    if (permission === undefined) {
      permission = new Permission(allocation, peer, now)
      this.#permissions.setIp(allocation.relaySocket, peer, permission)
      allocation.permissions.add(permission)
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
    const { allocation } = permission
    let channel = allocation.channels.get(number)
    if (channel === undefined) {
      channel = new ChannelBinding(allocation, number, peer, permission, now)
      allocation.channels.set(number, channel)
      this.#channels.set(allocation.relaySocket, peer, channel)
    }
    channel.permission = permission
    this.#deadlines.schedule(channel, later(now, lifetime * 1000))
  }

  /** Takes out what is due at `now`, one thing a call. An allocation is returned and still to be removed. */
  takeDue(now: Instant): Expirable | undefined {
    const due = this.#deadlines.takeDue(now)
    if (due?.kind === 'permission') this.#forgetPermission(due)
    if (due?.kind === 'channel') this.#forgetChannel(due)
    return due
  }

  remove(allocation: Allocation): void {
    for (const channel of allocation.channels.values()) this.#forgetChannel(channel)
    for (const permission of allocation.permissions) this.#forgetPermission(permission)
    this.#deadlines.cancel(allocation)
    this.#byClient.delete(allocation.socket, allocation.client)
    this.#byRelaySocket.delete(allocation.relaySocket)
    if (allocation.state === 'active') {
      this.#byRelayed.delete(0, allocation.relayed)
      this.#byRelayed.delete(0, allocation.relayLocal)
    }
    const left = this.countOf(allocation.username) - 1
    if (left === 0) this.#countByUser.delete(allocation.username)
    else this.#countByUser.set(allocation.username, left)
  }

  #forgetPermission(permission: Permission): void {
    if (permission.heapIndex !== unscheduled) this.#deadlines.cancel(permission)
    this.#permissions.deleteIp(permission.allocation.relaySocket, permission.peer)
    permission.allocation.permissions.delete(permission)
  }

  #forgetChannel(channel: ChannelBinding): void {
    if (channel.heapIndex !== unscheduled) this.#deadlines.cancel(channel)
    this.#channels.delete(channel.allocation.relaySocket, channel.peer)
    channel.allocation.channels.delete(channel.number)
  }
}
