/**
 * Connectivity checks as STUN transactions (RFC 8489 §6.2, RFC 8445 §14.3). Every transaction ends once: by its one
 * response, or when its time is over.
 */

import { type Expiring, unscheduled } from '../core/deadlines.ts'
import { type Instant, instant } from '../core/time.ts'
import type { CandidatePair, PendingCheck } from './candidate-pair.ts'
import type { IceRole } from './role.ts'

/** Requests of one transaction (RFC 8489 §6.2.1 Rc). */
const maxTransmissions = 7
/** How many first RTOs the last transmission is waited for (Rm). */
const lastWaitFactor = 16
/** Limit: RFC 8445 §14.3 forbids less. */
export const minimumRtoMs = 500
/** From the first transmission to giving up, with the smallest RTO: 39.5 s. */
export const checkTimeoutMs = (2 ** (maxTransmissions - 1) - 1 + lastWaitFactor) * minimumRtoMs

/**
 * 'check' and 'nomination' are retransmitted, and fail their pair. 'consent' is sent once (RFC 7675 §5.1), and so is a
 * 'probe': whether a valid pair that is not in use is still alive.
 */
export type CheckKind = 'check' | 'nomination' | 'consent' | 'probe'

export interface CheckParts {
  /** The transaction ID, as a key. */
  readonly id: string
  readonly kind: CheckKind
  readonly pair: CandidatePair
  /** As what it is sent: a 487 that comes after a change of role is stale. */
  readonly role: IceRole
  /** The nomination value that USE-CANDIDATE comes with; undefined for a check that nominates nothing. */
  readonly nomination: number | undefined
  readonly bytes: Uint8Array
  readonly sentAt: Instant
  readonly rtoMs: number
}

export class Check implements Expiring, PendingCheck {
  deadline: Instant = instant(0)
  heapIndex = unscheduled
  readonly id: string
  readonly kind: CheckKind
  readonly pair: CandidatePair
  readonly role: IceRole
  readonly nomination: number | undefined
  readonly bytes: Uint8Array
  readonly sentAt: Instant
  readonly #rtoMs: number
  transmissions = 1
  /** No more retransmissions, and no failure if it is never answered (RFC 8445 §7.3.1.4). */
  isCancelled = false

  constructor(parts: CheckParts) {
    this.id = parts.id
    this.kind = parts.kind
    this.pair = parts.pair
    this.role = parts.role
    this.nomination = parts.nomination
    this.bytes = parts.bytes
    this.sentAt = parts.sentAt
    this.#rtoMs = parts.rtoMs
  }

  /** How long to wait after the latest transmission: RTO, doubled each time, and 16 RTO after the last. */
  get waitMs(): number {
    if (this.transmissions >= maxTransmissions) return this.#rtoMs * lastWaitFactor
    return this.#rtoMs * 2 ** (this.transmissions - 1)
  }

  /** Nothing follows from its failure. */
  get isOnce(): boolean {
    return this.kind === 'consent' || this.kind === 'probe'
  }

  get isExhausted(): boolean {
    return this.transmissions >= maxTransmissions
  }
}
