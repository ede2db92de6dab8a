/**
 * A candidate pair (RFC 8445 §6.1.2): one path, from a socket of ours to an address of the peer. What the RFC calls the
 * valid pair is the same object once `mapped` is set, the local candidate that the peer has seen us at.
 */

import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { LocalCandidate, RemoteCandidate } from './candidate.ts'
import { type PairPriority, pairPriority } from './pair-priority.ts'
import type { IceRole } from './role.ts'

export type PairState = 'frozen' | 'waiting' | 'in-progress' | 'succeeded' | 'failed'

/** Why a pair failed, for the table that a failed session leaves behind. */
export type PairFailure =
  | 'timeout'
  | 'non-symmetric-response'
  | 'error-response'
  | 'connection-failed'
  | 'connection-closed'
  | 'send-failed'
  | 'consent-expired'
  | 'consent-revoked'
  | 'socket-removed'
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
  /** What it is sent from; undefined for TCP until there is a connection. */
  socket: SocketId | undefined
  state: PairState = 'frozen'
  priority: PairPriority = { high: 0, low: 0 }
  /** Both foundations together (RFC 8445 §6.1.2.6). */
  foundation: string
  failure: PairFailure | undefined
  /** More about the failure: an error code, the system's reason. */
  failureDetail: string | undefined
  /** The local candidate that equals the mapped address. Set: the pair is on the valid list. */
  mapped: LocalCandidate | undefined
  isNominated = false
  /** The highest value that the controlling side has nominated it with; 0 without renomination. */
  nomination = 0
  /** The controlled side has been asked to use it, and its own check has still to succeed (§7.3.1.5). */
  nominateOnSuccess = false
  /** A check with USE-CANDIDATE is on its way. */
  isNominating = false
  /** The check that a response or a timeout decides about; older ones have been cancelled. */
  check: PendingCheck | undefined
  /** An authenticated packet has come from there: data from there is the peer's. */
  isAuthenticated = false
  /** In the triggered-check queue. */
  isQueued = false
  /** The transaction of the peer's last request, so that a duplicate changes nothing. */
  lastRequestId: string | undefined
  /** When the pair was first checked; undefined before. */
  checkedAt: Instant | undefined
  validSince: Instant | undefined
  /** Until when data may be sent (RFC 7675 §5.1); undefined while there has been no consent. */
  consentUntil: Instant | undefined
  readonly stats = new PairCounters()

  constructor(id: string, local: LocalCandidate, remote: RemoteCandidate, role: IceRole) {
    this.id = id
    this.local = local
    this.remote = remote
    this.socket = local.protocol === 'udp' ? local.socket : undefined
    this.foundation = `${local.foundation}:${remote.foundation}`
    this.updatePriority(role)
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

  /** The smoothed round-trip time, as RFC 6298 smooths it; undefined before the first measurement. */
  get rttMs(): number | undefined {
    return this.stats.smoothedRttMs
  }

  /** After a change of role, of the remote priority or of the mapped candidate. */
  updatePriority(role: IceRole): void {
    const ours = (this.mapped ?? this.local).priority
    const theirs = this.remote.priority
    this.priority = role === 'controlling' ? pairPriority(ours, theirs) : pairPriority(theirs, ours)
  }
}

/** The counters of W3C's RTCIceCandidatePairStats, and what it leaves out. */
export class PairCounters {
  requestsSent = 0
  requestsReceived = 0
  responsesSent = 0
  responsesReceived = 0
  retransmissionsSent = 0
  consentRequestsSent = 0
  totalRoundTripMs = 0
  currentRoundTripMs: number | undefined
  smoothedRttMs: number | undefined
  lastPacketSentAt: Instant | undefined
  lastPacketReceivedAt: Instant | undefined
  packetsReceived = 0
  bytesReceived = 0
  packetsSent = 0
  bytesSent = 0
  packetsDiscardedOnSend = 0
  bytesDiscardedOnSend = 0
  consentExpiredAt: Instant | undefined

  measured(rttMs: number): void {
    this.totalRoundTripMs += rttMs
    this.currentRoundTripMs = rttMs
    this.smoothedRttMs =
      this.smoothedRttMs === undefined ? rttMs : this.smoothedRttMs * (7 / 8) + rttMs * (1 / 8)
  }
}
