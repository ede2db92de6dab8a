/** The counters of W3C's RTCIceCandidatePairStats, and what it leaves out. Packets and bytes are those of user data. */

import type { Instant } from '../core/time.ts'

export class PairCounters {
  requestsSent = 0
  requestsReceived = 0
  responsesSent = 0
  responsesReceived = 0
  retransmissionsSent = 0
  consentRequestsSent = 0
  packetsSent = 0
  bytesSent = 0
  packetsReceived = 0
  bytesReceived = 0
  packetsDiscardedOnSend = 0
  bytesDiscardedOnSend = 0
  totalRoundTripMs = 0
  currentRoundTripMs: number | undefined
  /** As RFC 6298 smooths it. */
  smoothedRoundTripMs: number | undefined
  lastPacketSentAt: Instant | undefined
  lastPacketReceivedAt: Instant | undefined
  consentExpiredAt: Instant | undefined

  measured(roundTripMs: number): void {
    this.totalRoundTripMs += roundTripMs
    this.currentRoundTripMs = roundTripMs
    const smoothed = this.smoothedRoundTripMs ?? roundTripMs
    this.smoothedRoundTripMs = smoothed + (roundTripMs - smoothed) / 8
  }
}
