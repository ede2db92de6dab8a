/**
 * Binds the relay sockets that one Allocate needs, one after another: one, one of each family, or an even port and
 * the next one (RFC 8656 §7.2). A port that the system has in use is skipped for another one.
 */

import type { Random } from '../core/random.ts'
import type { SocketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { AddressFamily } from '../stun/codecs.ts'
import type { Allocation } from './allocation.ts'
import { limits } from './options.ts'
import type { ReplyAddress } from './outcome.ts'
import type { PortChoice } from './port-pool.ts'
import type { Relay, Relays } from './relay-address.ts'
import type { RelaySocket, RelaySockets } from './relay-sockets.ts'

export interface RelayNeed {
  readonly family: AddressFamily
  readonly ports: PortChoice
}

/** One Allocate on its way. It is done when `needs` is empty. */
export interface BindTask {
  readonly allocation: Allocation
  readonly reply: ReplyAddress
  /** What it holds of its user's quota. */
  readonly held: number
  readonly isMobile: boolean
  /** Whether the second family was asked for as the draft had it. */
  readonly isDraft: boolean
  /** What is still to be bound, the present one first. */
  readonly needs: RelayNeed[]
  /** Families for which there was no port. */
  readonly unmet: AddressFamily[]
  /** Open sockets, one for each need that was met. */
  readonly bound: RelaySocket[]
  /** The second socket of a pair. */
  reserved: RelaySocket | undefined
}

interface Attempt {
  readonly task: BindTask
  readonly relay: Relay
  readonly current: RelaySocket
  /** The first half of a pair, while the second is being bound. */
  readonly first: RelaySocket | undefined
  /** Where the system has refused; held until the need is met or given up, so that no port is tried twice. */
  readonly refused: TransportAddress[]
}

export class RelayBinder {
  readonly #relays: Relays
  readonly #sockets: RelaySockets
  readonly #random: Random
  readonly #attempts = new Map<SocketId, Attempt>()

  constructor(relays: Relays, sockets: RelaySockets, random: Random) {
    this.#relays = relays
    this.#sockets = sockets
    this.#random = random
  }

  /** How many sockets have been asked for, or are open for an Allocate that is not done yet. */
  get sockets(): number {
    let count = 0
    for (const { task, first } of this.#attempts.values()) {
      count += 1 + (first === undefined ? 0 : 1) + task.bound.length + (task.reserved === undefined ? 0 : 1)
    }
    return count
  }

  /** Goes on with the task; the task itself when it is done. */
  next(task: BindTask): BindTask | undefined {
    return task.needs.length === 0 ? task : this.#tryPort(task, [])
  }

  /** The socket is bound. The task that it has completed, if any. */
  bound(socket: SocketId): BindTask | undefined {
    const attempt = this.#take(socket)
    if (attempt === undefined) return undefined
    const { task, relay, current, first, refused } = attempt
    if (task.allocation.relayTransport === 'udp') this.#sockets.opened(current)
    if (first === undefined && task.needs[0]!.ports === 'pair') {
      this.#open(task, relay, current.local.port + 1, current, refused)
      return undefined
    }
    task.bound.push(first ?? current)
    if (first !== undefined) task.reserved = current
    return this.#settle(task, refused, true)
  }

  /** The system refused. The task that has come to its end by that, if any. */
  failed(socket: SocketId, reason: string): BindTask | undefined {
    const attempt = this.#take(socket)
    if (attempt === undefined) return undefined
    const { task, relay, current, first, refused } = attempt
    this.#sockets.forget(socket)
    refused.push(current.local)
    if (first !== undefined) {
      this.#sockets.closeKeepingPort(first)
      refused.push(first.local)
    } else if (task.needs[0]!.ports === 'pair') {
      refused.push(relay.address.withPort(current.local.port + 1))
    }
    const isInUse = reason === 'EADDRINUSE' || reason === 'EACCES'
    if (!isInUse || refused.length >= limits.bindAttempts) return this.#settle(task, refused, false)
    return this.#tryPort(task, refused)
  }

  /** Gives up what has been bound and asked for in the name of this allocation; its task, if there was one. */
  cancel(allocation: Allocation): BindTask | undefined {
    for (const [socket, { task, current, first, refused }] of this.#attempts) {
      if (task.allocation !== allocation) continue
      this.#attempts.delete(socket)
      for (const open of [current, ...(first === undefined ? [] : [first]), ...task.bound]) {
        this.#sockets.close(open)
      }
      if (task.needs[0]!.ports === 'pair' && first === undefined) {
        this.#sockets.releasePort(current.local.withPort(current.local.port + 1))
      }
      for (const local of refused) this.#sockets.releasePort(local)
      return task
    }
    return undefined
  }

  #tryPort(task: BindTask, refused: TransportAddress[]): BindTask | undefined {
    const { family, ports } = task.needs[0]!
    const relay = this.#relays.withFreePort(family)
    const port = relay?.ports.take(this.#random, ports)
    if (relay === undefined || port === undefined) return this.#settle(task, refused, false)
    this.#open(task, relay, port, undefined, refused)
    return undefined
  }

  #open(
    task: BindTask,
    relay: Relay,
    port: number,
    first: RelaySocket | undefined,
    refused: TransportAddress[],
  ): void {
    const current = this.#sockets.open(relay, port, task.allocation.relayTransport)
    this.#attempts.set(current.socket, { task, relay, current, first, refused })
  }

  /** The present need is met or given up. */
  #settle(task: BindTask, refused: readonly TransportAddress[], isMet: boolean): BindTask | undefined {
    for (const local of refused) this.#sockets.releasePort(local)
    const need = task.needs.shift()
    if (need !== undefined && !isMet) task.unmet.push(need.family)
    return this.next(task)
  }

  #take(socket: SocketId): Attempt | undefined {
    const attempt = this.#attempts.get(socket)
    this.#attempts.delete(socket)
    return attempt
  }
}
