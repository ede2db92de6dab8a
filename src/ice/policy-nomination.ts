/** When to nominate, and when to move to another pair. */

import { type Instant, later } from '../core/time.ts'
import type { RelayProtocol } from './candidate.ts'
import type { CandidatePair } from './candidate-pair.ts'
import { minimumRtoMs } from './check.ts'
import { minimumPacingMs } from './pacer.ts'
import type { PolicyView } from './policy.ts'
import { isImplausible } from './policy-checks.ts'
import { isRebound } from './rebinding.ts'

/** A path has to be this much faster than the selected one, in both measures, for its speed alone. */
const rttGainMs = 10
const rttGainFactor = 0.85

/**
 * The best valid pair, as soon as no better one can still win. A better pair can win while it has not been checked, or
 * while its latest check has been under way for less time than the best pair's answer took. When the choice is between
 * a relay and a direct path, for the first check is often the one that opens a NAT, a first retransmission is waited
 * for too; but if both sides know renomination, and so a choice is not for good, direct paths are not waited for at all.
 */
export function defaultNominate(
  view: PolicyView,
): CandidatePair | { readonly waitUntil: Instant } | undefined {
  const best = view.pairs.find((pair) => pair.isValid)
  if (best === undefined) return undefined
  let waitUntil: Instant | undefined
  for (const pair of view.pairs) {
    if (pair === best) break
    if (best.isRelayed && !pair.isRelayed && view.canRenominate) continue
    const until = canWinUntil(pair, best, view)
    if (until === undefined || until <= view.now) continue
    if (waitUntil === undefined || until > waitUntil) waitUntil = until
  }
  return waitUntil === undefined ? best : { waitUntil }
}

/** Until when it is open whether `pair` wins; undefined if it cannot. */
function canWinUntil(pair: CandidatePair, best: CandidatePair, view: PolicyView): Instant | undefined {
  if (pair.isValid || pair.state === 'failed' || isImplausible(pair, view)) return undefined
  if (isAlike(pair, best)) return undefined
  // It waits for another one of its foundation, which is no better off than we know.
  if (pair.state === 'frozen') return undefined
  const roundTripMs = best.rttMs ?? minimumRtoMs
  // It will be checked within a few Ta, and then the question is asked again.
  if (pair.check === undefined) return later(view.now, minimumRtoMs + roundTripMs)
  if (best.isRelayed && !pair.isRelayed) {
    return later(pair.checkedAt ?? view.now, minimumRtoMs + roundTripMs)
  }
  // A path that is as fast answers at the same moment: it has a chance to be first.
  return later(pair.check.sentAt, roundTripMs + minimumPacingMs)
}

/** Through as many relays, reached alike: priorities tell such pairs apart, and neither is worth waiting for. */
function isAlike(pair: CandidatePair, best: CandidatePair): boolean {
  return (
    best.isRelayed &&
    countRelays(pair) === countRelays(best) &&
    pair.networkCost === best.networkCost &&
    relayProtocolOf(pair) === relayProtocolOf(best)
  )
}

function countRelays({ local, remote }: CandidatePair): number {
  return Number(local.type === 'relay') + Number(remote.type === 'relay')
}

/** Of the peer's relay it is not known. */
function relayProtocolOf({ local }: CandidatePair): RelayProtocol {
  return local.relayProtocol ?? 'udp'
}

/**
 * Away from a path that is dead, and after a peer whose NAT has given it a new address. Else a direct path is better than a
 * relayed one, then one over networks that cost less, and of equals the one that is faster by a margin that is no noise.
 */
export function defaultShouldSwitch(
  selected: CandidatePair,
  other: CandidatePair,
  view: PolicyView,
): boolean {
  if (view.isSilent || isRebound(selected, other)) return true
  if (selected.isRelayed !== other.isRelayed) return selected.isRelayed
  if (selected.networkCost !== other.networkCost) return other.networkCost < selected.networkCost
  if (selected.rttMs === undefined || other.rttMs === undefined) return false
  return selected.rttMs - other.rttMs >= rttGainMs && other.rttMs <= selected.rttMs * rttGainFactor
}
