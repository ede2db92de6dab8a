/**
 * Permissions and channel bindings as the client believes that they stand on the server (RFC 8656 §9, §12), with the
 * look-ups of the data path. Knows times and states, and nothing of messages.
 */

import { AddressTable } from '../../core/address-table.ts'
import { type Expiring, unscheduled } from '../../core/deadlines.ts'
import { type Random, randomUint32 } from '../../core/random.ts'
import type { Instant } from '../../core/time.ts'
import type { AddressWords, TransportAddress } from '../../core/transport-address.ts'
import { channelNumbers } from '../channel-data.ts'

/**
 * `waiting`: to be asked for when there is an allocation; `requested`: asked for the first time; `refreshing`: in
 * force, and asked for again; `released`: in force until it expires, for nobody needs it any more.
 */
export type PermissionState = 'waiting' | 'requested' | 'installed' | 'refreshing' | 'released'

export class ClientPermission implements Expiring {
  readonly kind = 'permission'
  /** The port is one of those it is needed for, and means nothing to the server. */
  readonly peer: TransportAddress
  /** The ports at this IP address that somebody wants to reach. */
  readonly ports = new Set<number>()
  state: PermissionState = 'waiting'
  /** When the server forgets it, unless it is refreshed. */
  expiresAt: Instant
  deadline: Instant
  heapIndex: number = unscheduled

  constructor(peer: TransportAddress, now: Instant) {
    this.peer = peer
    this.expiresAt = now
    this.deadline = now
  }

  get isInForce(): boolean {
    return this.state === 'installed' || this.state === 'refreshing' || this.state === 'released'
  }
}

/**
 * As for permissions. `cooling`: the binding has expired, and number and peer may be bound to each other again, but
 * to no other for five minutes (§12).
 */
export type ChannelState = 'waiting' | 'binding' | 'bound' | 'refreshing' | 'released' | 'cooling'

export class ClientChannel implements Expiring {
  readonly kind = 'channel'
  readonly number: number
  readonly peer: TransportAddress
  state: ChannelState = 'waiting'
  /** Whether it is to be refreshed when it is bound. */
  isNeeded = true
  expiresAt: Instant
  deadline: Instant
  heapIndex: number = unscheduled

  constructor(number: number, peer: TransportAddress, now: Instant) {
    this.number = number
    this.peer = peer
    this.expiresAt = now
    this.deadline = now
  }

  get isBound(): boolean {
    return this.state === 'bound' || this.state === 'refreshing' || this.state === 'released'
  }
}

export class Peers {
  readonly permissions = new Set<ClientPermission>()
  readonly channels = new Map<number, ClientChannel>()
  readonly #permissionByIp: AddressTable<ClientPermission>
  readonly #channelByPeer: AddressTable<ClientChannel>
  #lastNumber: number

  constructor(random: Random) {
    this.#permissionByIp = new AddressTable(randomUint32(random))
    this.#channelByPeer = new AddressTable(randomUint32(random))
    this.#lastNumber = channelNumbers.max
  }

  permissionFor(peer: AddressWords): ClientPermission | undefined {
    return this.#permissionByIp.getIp(0, peer)
  }

  channelTo(peer: AddressWords): ClientChannel | undefined {
    return this.#channelByPeer.get(0, peer)
  }

  /** The permission for the peer's IP address, made if there is none, and held for this port of it. */
  holdPermission(peer: TransportAddress, now: Instant): ClientPermission {
    let permission = this.#permissionByIp.getIp(0, peer)
    if (permission === undefined) {
      permission = new ClientPermission(peer, now)
      this.#permissionByIp.setIp(0, peer, permission)
      this.permissions.add(permission)
    }
    permission.ports.add(peer.port)
    return permission
  }

  /** The channel to the peer, made with a free number if there is none; undefined when no number is free. */
  takeChannel(peer: TransportAddress, now: Instant): ClientChannel | undefined {
    const existing = this.channelTo(peer)
    if (existing !== undefined) return existing
    const number = this.#freeNumber()
    if (number === undefined) return undefined
    const channel = new ClientChannel(number, peer, now)
    this.channels.set(number, channel)
    this.#channelByPeer.set(0, peer, channel)
    return channel
  }

  removePermission(permission: ClientPermission): void {
    this.permissions.delete(permission)
    this.#permissionByIp.deleteIp(0, permission.peer)
  }

  removeChannel(channel: ClientChannel): void {
    this.channels.delete(channel.number)
    this.#channelByPeer.delete(0, channel.peer)
  }

  /** Numbers are taken in turn, so that one that was used is left alone for as long as can be. */
  #freeNumber(): number | undefined {
    const count = channelNumbers.max - channelNumbers.min + 1
    if (this.channels.size >= count) return undefined
    do {
      this.#lastNumber = this.#lastNumber >= channelNumbers.max ? channelNumbers.min : this.#lastNumber + 1
    } while (this.channels.has(this.#lastNumber))
    return this.#lastNumber
  }
}
