/** What all parts of one agent share: options, role and outputs. */

import { OutputQueue } from '../core/output-queue.ts'
import type { Random } from '../core/random.ts'
import { type SocketId, socketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { ResolvedOptions } from './options.ts'
import type { IceOutput, TransmitPurpose } from './outputs.ts'
import type { IceRole } from './role.ts'

/** Connections that the agent asks for are numbered from here; the driver numbers its own sockets below. */
export const firstConnection = 0x1000000

/** Why a packet was not taken. */
export type IceDropReason =
  | 'not-stun'
  | 'bad-fingerprint'
  | 'unknown-user'
  | 'unauthenticated'
  | 'malformed'
  | 'unknown-transaction'
  | 'unknown-socket'
  | 'unvalidated-source'
  | 'unexpected-message'
  | 'stale-role-conflict'
  | 'too-many-early-checks'

export class Session {
  readonly options: ResolvedOptions
  readonly random: Random
  role: IceRole
  tiebreaker: bigint
  readonly outputs = new OutputQueue<IceOutput>()
  readonly drops: Partial<Record<IceDropReason, number>> = {}

  constructor(options: ResolvedOptions, random: Random) {
    this.options = options
    this.random = random
    this.role = options.role
    this.tiebreaker = newTiebreaker(random)
  }

  drop(reason: IceDropReason): 'dropped' {
    this.drops[reason] = (this.drops[reason] ?? 0) + 1
    return 'dropped'
  }

  transmit(
    socket: SocketId,
    destination: TransportAddress,
    bytes: Uint8Array,
    purpose: TransmitPurpose,
  ): void {
    this.outputs.push({ type: 'transmit', socket, destination, bytes, purpose })
  }

  /** Ids that are unique within the agent, and so short that a log stays readable. */
  newId(prefix: string): string {
    this.#lastId++
    return `${prefix}${this.#lastId}`
  }

  /** A number for a connection that the driver is to open. */
  newConnection(): SocketId {
    return socketId(this.#nextConnection++)
  }

  #lastId = 0
  #nextConnection = firstConnection
}

export function newTiebreaker(random: Random): bigint {
  return random.bytes(8).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}
