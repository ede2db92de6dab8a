/**
 * A candidate pair (RFC 8445 §6.1.2): one path, from a socket of ours to an address of the peer. What the RFC calls the
 * valid pair is the same object once `mapped` is set, the local candidate that the peer has seen us at.
 * Deviation: RFC 8445 §7.2.5.3.2 makes another pair of the list valid if the mapped address is that of another local
 * candidate. Here the path that was checked is the one that is used, whatever it looks like from outside.
 */

import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { LocalCandidate, RemoteCandidate } from './candidate.ts'
import { PairCounters } from './pair-counters.ts'
import { type PairPriority, pairPriority } from './pair-priority.ts'
import type { IceRole } from './role.ts'
import { SendPath } from './send-path.ts'

/** RFC 8445 §6.1.2.6. */
export type PairState = 'frozen' | 'waiting' | 'in-progress' | 'succeeded' | 'failed'

/** Why a pair failed, for the table that a failed session leaves behind. */
export type PairFailure =
  | 'timeout'
  | 'non-symmetric-response'
  | 'error-response'
  | 'connection-failed'
  | 'connection-closed'
  | 'not-an-ice-peer'
  | 'unreachable'
  | 'consent-expired'
  | 'consent-revoked'
  | 'socket-removed'
  /** Not needed any more: another pair has been nominated, or the policy had no use for it. */
  | 'pruned'

/** What a pair has to know of the check that decides about it. */
export interface PendingCheck {
  readonly sentAt: Instant
  isCancelled: boolean
}

export class CandidatePair {
  readonly id: string
  readonly local: LocalCandidate
  readonly remote: RemoteCandidate
  state: PairState = 'frozen'
  priority: PairPriority = { high: 0, low: 0 }
  /** Both foundations together (RFC 8445 §6.1.2.6). */
  foundation = ''
  failure: PairFailure | undefined
  /** More about the failure: an error code, the system's reason. */
  failureDetail: string | undefined
  /** The local candidate that equals the mapped address. Set: the pair is on the valid list. */
  mapped: LocalCandidate | undefined
  isNominated = false
  /** The highest value that the controlling side has nominated it with; 0 without renomination. */
  nomination = 0
  /** The controlled side has been asked to use it, and its own check has still to succeed (RFC 8445 §7.3.1.5). */
  nominateOnSuccess = false
  /** A check with USE-CANDIDATE is on its way. */
  isNominating = false
  /** The check that a response or a timeout decides about; older ones have been cancelled. */
  check: PendingCheck | undefined
  /** In the triggered-check queue; a valid pair is there to be probed. */
  isQueued = false
  /** An authenticated packet has come from there: data from there is the peer's. */
  isAuthenticated = false
  /** The transaction of the peer's last request, so that a duplicate changes nothing. */
  lastRequestId: string | undefined
  /** When the pair was first checked. */
  checkedAt: Instant | undefined
  validSince: Instant | undefined
  nominatedAt: Instant | undefined
  /** When the peer has last said that it uses it; undefined if it has not. */
  claimedAt: Instant | undefined
  /** When a check of ours was last answered. */
  answeredAt: Instant | undefined
  /** Until when data may be sent (RFC 7675 §5.1); undefined while there is no consent. */
  consentUntil: Instant | undefined
  readonly counters = new PairCounters()
  #socket: SocketId | undefined
  #path: SendPath | undefined

  constructor(id: string, local: LocalCandidate, remote: RemoteCandidate, role: IceRole) {
    this.id = id
    this.local = local
    this.remote = remote
    this.candidatesChanged(role)
  }

  /** What it is sent from; undefined for TCP while there is no connection. */
  get socket(): SocketId | undefined {
    return this.#socket
  }

  set socket(socket: SocketId | undefined) {
    this.#socket = socket
    this.#path = socket === undefined ? undefined : new SendPath(socket, this.remote.address, this.counters)
  }

  /** Where user data of this pair goes. */
  get path(): SendPath | undefined {
    return this.#path
  }

  get stream(): number {
    return this.local.stream
  }

  get component(): number {
    return this.local.component
  }

  get isValid(): boolean {
    return this.state === 'succeeded' && this.mapped !== undefined
  }

  get isRelayed(): boolean {
    return this.local.type === 'relay' || this.remote.type === 'relay'
  }

  /** What the networks on both sides cost, as they say themselves. */
  get networkCost(): number {
    return (this.local.networkCost ?? 0) + (this.remote.networkCost ?? 0)
  }

  /** Consent that is lost comes back by a restart only (RFC 7675 §5.1). */
  get isConsentLost(): boolean {
    return this.failure === 'consent-expired' || this.failure === 'consent-revoked'
  }

  /** The smoothed round-trip time; undefined before the first measurement. */
  get rttMs(): number | undefined {
    return this.counters.smoothedRoundTripMs
  }

  /** After a change of role, of the remote candidate or of the mapped one. */
  candidatesChanged(role: IceRole): void {
    this.foundation = `${this.local.foundation}:${this.remote.foundation}`
    const ours = (this.mapped ?? this.local).priority
    const theirs = this.remote.priority
    this.priority = role === 'controlling' ? pairPriority(ours, theirs) : pairPriority(theirs, ours)
  }
}
