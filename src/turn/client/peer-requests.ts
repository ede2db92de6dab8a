/**
 * CreatePermission and ChannelBind on the client's side (RFC 8656 §10, §12): asked for when there is an allocation,
 * refreshed before they expire, and refused for one peer at a time.
 */

import type { Deadlines } from '../../core/deadlines.ts'
import { unreachable } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import { type Instant, later } from '../../core/time.ts'
import { TransportAddress } from '../../core/transport-address.ts'
import type { Attribute } from '../../stun/attributes.ts'
import type { StunFailure } from '../../stun/client-failure.ts'
import type { AddressFamily } from '../../stun/codecs.ts'
import type { PeerFailure } from './failure.ts'
import { clientLimits, clientTimes } from './options.ts'
import type { TurnClientEvent } from './outputs.ts'
import { type ClientChannel, type ClientPermission, Peers } from './peers.ts'

/** What a request to the server was about. */
export type PeerContext =
  | { readonly type: 'permissions'; readonly permissions: readonly ClientPermission[] }
  | { readonly type: 'channel'; readonly channel: ClientChannel }

/** What a refusal says about the allocation as a whole: that it is gone, or that client and server disagree on it. */
export type AllocationDoubt = 'gone' | 'out-of-sync'

export interface PeerRequestsOptions {
  readonly deadlines: Pick<Deadlines<ClientPermission | ClientChannel>, 'schedule' | 'cancel'>
  readonly random: Random
  ask(
    method: 'CreatePermission' | 'ChannelBind',
    attributes: readonly Attribute[],
    context: PeerContext,
    now: Instant,
  ): void
  emit(event: TurnClientEvent): void
}

export class PeerRequests {
  readonly #options: PeerRequestsOptions
  /** The families that are relayed; undefined while there is no allocation. */
  #families: ReadonlySet<AddressFamily> | undefined
  /** The allocation is on its way to another transport: requests wait until it is there. */
  #isPaused = false
  peers: Peers

  constructor(options: PeerRequestsOptions) {
    this.#options = options
    this.peers = new Peers(options.random)
  }

  /** There is an allocation: what has waited is asked for. */
  start(families: ReadonlySet<AddressFamily>, now: Instant): void {
    this.#families = families
    const { permissions, channels } = this.peers
    for (const permission of permissions) {
      if (!this.#isRelayed(permission.peer)) this.#refuse(permission, { type: 'family-not-allocated' })
    }
    for (const channel of channels.values()) this.#bind(channel, now)
    this.#request([...permissions], now)
  }

  /** Requests under way are forgotten with the transport they were made on. */
  pause(): void {
    this.#isPaused = true
  }

  /** Asks again for all that had not been answered, and for what came up meanwhile. */
  resume(now: Instant): void {
    this.#isPaused = false
    const { permissions, channels } = this.peers
    this.#request(
      [...permissions].filter(({ state }) => state === 'requested' || state === 'refreshing'),
      now,
    )
    for (const channel of channels.values()) {
      if (channel.state === 'binding' || channel.state === 'refreshing') this.#ask(channel, now)
    }
  }

  /** The allocation is gone, and all that belonged to it. */
  clear(): void {
    this.#isPaused = false
    for (const permission of this.peers.permissions) this.#options.deadlines.cancel(permission)
    for (const channel of this.peers.channels.values()) this.#options.deadlines.cancel(channel)
    this.#families = undefined
    this.peers = new Peers(this.#options.random)
  }

  permit(peer: TransportAddress, now: Instant): void {
    const known = this.peers.permissionFor(peer)
    const isNewPort = known?.ports.has(peer.port) !== true
    const permission = this.peers.holdPermission(peer, now)
    if (known?.isInForce === true && isNewPort) this.#options.emit({ type: 'permission-installed', peer })
    if (known === undefined) {
      if (this.#families === undefined) return
      if (this.#isRelayed(peer)) this.#request([permission], now)
      else this.#refuse(permission, { type: 'family-not-allocated' })
    } else if (known.state === 'released') {
      known.state = 'installed'
      this.#options.deadlines.schedule(known, refreshTime(known))
    }
  }

  bindChannel(peer: TransportAddress, now: Instant): void {
    if (this.#families !== undefined && !this.#isRelayed(peer)) {
      this.#options.emit({ type: 'channel-refused', peer, failure: { type: 'family-not-allocated' } })
      return
    }
    const channel = this.peers.takeChannel(peer, now)
    if (channel === undefined) {
      this.#options.emit({ type: 'channel-refused', peer, failure: { type: 'no-free-channel' } })
      this.permit(peer, now)
      return
    }
    channel.isNeeded = true
    if (channel.state === 'released' || channel.state === 'cooling') {
      // Within the cool-down the same pair of number and peer may be bound again (§12).
      channel.state = 'waiting'
      this.#options.deadlines.cancel(channel)
      this.#bind(channel, now)
    } else if (channel.state === 'waiting') this.#bind(channel, now)
  }

  /** Nobody needs the peer any more: what there is for it expires. */
  forget(peer: TransportAddress): void {
    const { deadlines } = this.#options
    const channel = this.peers.channelTo(peer)
    if (channel !== undefined) channel.isNeeded = false
    if (channel?.state === 'waiting') this.peers.removeChannel(channel)
    else if (channel?.state === 'bound') this.#release(channel)
    const permission = this.peers.permissionFor(peer)
    if (permission === undefined) return
    permission.ports.delete(peer.port)
    if (permission.ports.size > 0) return
    if (permission.state === 'waiting') this.peers.removePermission(permission)
    else if (permission.state === 'installed') {
      permission.state = 'released'
      deadlines.schedule(permission, permission.expiresAt)
    }
  }

  handleDue(due: ClientPermission | ClientChannel, now: Instant): void {
    if (due.kind === 'permission') this.#handleDuePermission(due, now)
    else this.#handleDueChannel(due, now)
  }

  /** CreatePermission has been answered. */
  permissionsInstalled(permissions: readonly ClientPermission[], now: Instant): void {
    for (const permission of permissions) this.#install(permission, now)
  }

  /** All of the addresses are refused when one is (§10.2): each is asked for alone, so that the one fails alone. */
  permissionsRefused(
    permissions: readonly ClientPermission[],
    failure: StunFailure,
    now: Instant,
  ): AllocationDoubt | undefined {
    if (isMismatch(failure)) return 'gone'
    if (permissions.length > 1 && failure.type === 'rejected') {
      for (const permission of permissions) this.#request([permission], now)
    } else for (const permission of permissions) this.#refuse(permission, failure)
    return undefined
  }

  /** ChannelBind has been answered. It has installed the permission as well (§12.3). */
  channelBound(channel: ClientChannel, now: Instant): void {
    const isNew = channel.state === 'binding'
    channel.state = 'bound'
    channel.expiresAt = later(now, clientTimes.channelLifetimeMs)
    const { peer, number } = channel
    if (isNew) this.#options.emit({ type: 'channel-bound', peer, number })
    if (channel.isNeeded) {
      this.#options.deadlines.schedule(channel, later(now, clientTimes.channelRefreshMs))
      this.#install(this.peers.holdPermission(peer, now), now)
    } else this.#release(channel)
  }

  channelRefused(channel: ClientChannel, failure: StunFailure, now: Instant): AllocationDoubt | undefined {
    if (isMismatch(failure)) return 'gone'
    const wasBound = channel.state === 'refreshing'
    // A channel that was bound, and is now a bad request: the two sides do not speak of the same allocation (§12.3).
    if (wasBound && failure.type === 'rejected' && failure.code === 400) return 'out-of-sync'
    if (wasBound) {
      if (failure.type === 'timed-out' && channel.expiresAt > now) {
        this.#ask(channel, now)
        return undefined
      }
      this.#release(channel)
    } else if (failure.type === 'rejected') this.peers.removeChannel(channel)
    else this.#coolDown(channel, later(now, clientTimes.channelLifetimeMs))
    this.#options.emit({ type: 'channel-refused', peer: channel.peer, failure })
    if (failure.type !== 'rejected' || failure.code !== forbidden) this.permit(channel.peer, now)
    return undefined
  }

  #handleDuePermission(permission: ClientPermission, now: Instant): void {
    if (permission.state === 'released') {
      this.peers.removePermission(permission)
      return
    }
    const soon = later(now, clientTimes.permissionBatchMs)
    const batch = [...this.peers.permissions].filter(
      (other) => other === permission || (other.state === 'installed' && other.deadline <= soon),
    )
    this.#request(batch, now)
  }

  #handleDueChannel(channel: ClientChannel, now: Instant): void {
    switch (channel.state) {
      case 'bound':
        channel.state = 'refreshing'
        this.#ask(channel, now)
        return
      case 'released':
        this.#coolDown(channel, channel.expiresAt)
        this.#options.emit({ type: 'channel-expired', peer: channel.peer, number: channel.number })
        return
      case 'cooling':
        this.peers.removeChannel(channel)
        return
      case 'waiting':
      case 'binding':
      case 'refreshing':
        return
      default:
        unreachable(channel.state)
    }
  }

  #request(permissions: readonly ClientPermission[], now: Instant): void {
    for (const permission of permissions) {
      if (permission.state === 'waiting') permission.state = 'requested'
      else if (permission.state === 'installed') permission.state = 'refreshing'
      this.#options.deadlines.cancel(permission)
    }
    if (this.#isPaused) return
    for (let at = 0; at < permissions.length; at += clientLimits.permissionsPerRequest) {
      const batch = permissions.slice(at, at + clientLimits.permissionsPerRequest)
      const attributes = batch.map(({ peer }): Attribute => ['XOR-PEER-ADDRESS', peer])
      this.#options.ask('CreatePermission', attributes, { type: 'permissions', permissions: batch }, now)
    }
  }

  #bind(channel: ClientChannel, now: Instant): void {
    if (this.#families === undefined) return
    if (!this.#isRelayed(channel.peer)) {
      this.peers.removeChannel(channel)
      const { peer } = channel
      this.#options.emit({ type: 'channel-refused', peer, failure: { type: 'family-not-allocated' } })
      return
    }
    channel.state = 'binding'
    this.#ask(channel, now)
  }

  #ask(channel: ClientChannel, now: Instant): void {
    if (this.#isPaused) return
    const attributes: Attribute[] = [
      ['CHANNEL-NUMBER', channel.number],
      ['XOR-PEER-ADDRESS', channel.peer],
    ]
    this.#options.ask('ChannelBind', attributes, { type: 'channel', channel }, now)
  }

  #install(permission: ClientPermission, now: Instant): void {
    const isNew = !permission.isInForce
    const isNeeded = permission.ports.size > 0
    permission.state = isNeeded ? 'installed' : 'released'
    permission.expiresAt = later(now, clientTimes.permissionLifetimeMs)
    this.#options.deadlines.schedule(permission, isNeeded ? refreshTime(permission) : permission.expiresAt)
    if (!isNew) return
    for (const peer of peersOf(permission)) this.#options.emit({ type: 'permission-installed', peer })
  }

  #refuse(permission: ClientPermission, failure: PeerFailure): void {
    this.#options.deadlines.cancel(permission)
    this.peers.removePermission(permission)
    for (const peer of peersOf(permission)) this.#options.emit({ type: 'permission-refused', peer, failure })
  }

  #release(channel: ClientChannel): void {
    channel.state = 'released'
    this.#options.deadlines.schedule(channel, channel.expiresAt)
  }

  /** It expires at `expiry` at the latest, also if it was bound and we were not told. */
  #coolDown(channel: ClientChannel, expiry: Instant): void {
    channel.state = 'cooling'
    this.#options.deadlines.schedule(channel, later(expiry, clientTimes.channelCooldownMs))
  }

  #isRelayed(peer: TransportAddress): boolean {
    return this.#families?.has(peer.family) === true
  }
}

const forbidden = 403

function isMismatch(failure: StunFailure): boolean {
  return failure.type === 'rejected' && failure.code === 437
}

/** When to ask again for a permission that was last answered 300 s before it expires. */
function refreshTime({ expiresAt }: ClientPermission): Instant {
  return later(expiresAt, clientTimes.permissionRefreshMs - clientTimes.permissionLifetimeMs)
}

/** The transport addresses that the permission is held for. */
function peersOf({ peer, ports }: ClientPermission): TransportAddress[] {
  return [...ports].map((port) => new TransportAddress(peer.a, peer.b, peer.c, peer.d, port))
}
