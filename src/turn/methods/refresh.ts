/** Refresh: RFC 8656 §8.2. */

import { defaults, type TurnServerOptions } from '../options.ts'
import {
  type AllocationRequest,
  type Outcome,
  reject,
  type ServerState,
  succeed,
  type TurnRequest,
} from '../request.ts'

/** `release` ends the allocation; the answer is sent all the same. */
export function handleRefresh(request: AllocationRequest, state: ServerState, release: () => void): Outcome {
  const { allocation, message, now } = request
  const family = message.get('REQUESTED-ADDRESS-FAMILY')
  if (family !== undefined && family !== allocation.relayed.family) return reject(443)
  if (message.get('LIFETIME') === 0) {
    release()
    return succeed(['LIFETIME', 0])
  }
  const lifetime = grantedLifetime(request, state.options)
  state.allocations.refresh(allocation, lifetime, now)
  return succeed(['LIFETIME', lifetime])
}

/** The lifetime in seconds that Allocate (§7.2) and Refresh (§8.2) grant: between the default and the maximum, but never beyond the credential (RFC 7635 §9). */
export function grantedLifetime(
  { message, longestLifetime }: TurnRequest,
  options: TurnServerOptions,
): number {
  const maximum = Math.min(options.maxLifetime ?? defaults.maxLifetime, longestLifetime)
  const proposed = Math.min(message.get('LIFETIME') ?? 0, maximum)
  return Math.max(proposed, Math.min(defaults.lifetime, maximum))
}
