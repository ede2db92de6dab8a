/** A NAT that gives the peer a new address in the middle of a session. */

import type { CandidatePair } from './candidate-pair.ts'

/**
 * After the nomination the peer's checks come to the same socket from somewhere that it has never told us of, and no
 * more from where it was. To the peer that is the pair which is selected already.
 */
export function isRebound(selected: CandidatePair, other: CandidatePair): boolean {
  if (other.remote.type !== 'prflx' || other.socket !== selected.socket) return false
  if (selected.nominatedAt === undefined || other.validSince === undefined) return false
  return other.validSince > selected.nominatedAt && heardAt(other) > heardAt(selected)
}

function heardAt(pair: CandidatePair): number {
  return pair.counters.lastPacketReceivedAt ?? Number.NEGATIVE_INFINITY
}
