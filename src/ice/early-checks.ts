/**
 * Checks that come before we know the peer's credentials (RFC 8445 §7.3): they are answered at once, and what follows
 * from them is done when the credentials are there.
 */

import type { SocketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'

export interface EarlyCheck {
  readonly socket: SocketId
  readonly source: TransportAddress
  /** The peer's fragment, out of USERNAME. */
  readonly ufrag: string
  readonly priority: number | undefined
  readonly nomination: number | undefined
}

/** Limit: as many paths as a checklist of ordinary size has. They are authenticated, but cost memory. */
const maxEarlyChecks = 32

/** Adds a check; a later one of the same path takes the place of the earlier. False if there is no room. */
export function rememberEarly(early: EarlyCheck[], check: EarlyCheck): boolean {
  const at = early.findIndex(
    (other) =>
      other.socket === check.socket && other.ufrag === check.ufrag && other.source.equals(check.source),
  )
  if (at >= 0) early[at] = { ...check, nomination: check.nomination ?? early[at]!.nomination }
  else if (early.length < maxEarlyChecks) early.push(check)
  else return false
  return true
}
