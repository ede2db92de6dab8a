/** Refresh: RFC 8656 §8.2. */

import type { Message } from '../../stun/message.ts'
import type { Allocation, RelayedTransportAddress } from '../allocation.ts'
import { endRelayed } from '../ending.ts'
import type { ServerLimits } from '../options.ts'
import { type Outcome, reject, succeed } from '../outcome.ts'
import type { AllocationRequest, ServerState, TurnRequest } from '../request.ts'

export function handleRefresh(request: AllocationRequest, state: ServerState): Outcome {
  const { allocation, message, now } = request
  // 1. The family that is meant, of those that there are; without a word all of them.
  const meant = relayedMeant(message, allocation)
  if (meant.length === 0) return reject(443)
  // 2. A lifetime of 0 deletes; the answer is sent all the same.
  if (message.get('LIFETIME') === 0) {
    endRelayed(state, allocation, meant, 'released')
    return succeed(['LIFETIME', 0])
  }
  // 3. Any other one counts from now on.
  const lifetime = grantedLifetime(request, state.limits)
  for (const relayed of meant) state.allocations.refresh(relayed, lifetime, now)
  return succeed(['LIFETIME', lifetime])
}

/** The relayed transport addresses that a Refresh is about. */
export function relayedMeant(message: Message, allocation: Allocation): readonly RelayedTransportAddress[] {
  const family = message.get('REQUESTED-ADDRESS-FAMILY')
  return allocation.relayed.filter(({ address }) => family === undefined || address.family === family)
}

/**
 * The lifetime in seconds that Allocate (§7.2) and Refresh (§8.2) grant: between the default and the maximum, but
 * never beyond the credential (RFC 7635 §9).
 */
export function grantedLifetime(
  { message, longestLifetime }: TurnRequest,
  { maxLifetime, defaultLifetime }: ServerLimits,
): number {
  const maximum = Math.min(maxLifetime, longestLifetime)
  const proposed = Math.min(message.get('LIFETIME') ?? 0, maximum)
  return Math.max(proposed, Math.min(defaultLifetime, maximum))
}
