/** The end of everything that has a time. */

import { unreachable } from '../core/errors.ts'
import type { Instant } from '../core/time.ts'
import { endPeerConnection, endRelayed, endReservation } from './ending.ts'
import type { PendingAuthorizations } from './pending-authorizations.ts'
import type { ServerState } from './request.ts'

/** Ends what is due at `now`. */
export function endDue(state: ServerState, authorizations: PendingAuthorizations, now: Instant): void {
  for (;;) {
    const due = state.deadlines.takeDue(now)
    switch (due?.kind) {
      case undefined:
        return
      case 'relayed':
        endRelayed(state, due.allocation, [due], 'expired')
        break
      case 'reservation':
        endReservation(state, due)
        break
      case 'permission':
        state.allocations.forgetPermission(due)
        break
      case 'channel':
        state.allocations.forgetChannel(due)
        break
      case 'peer-connection':
        endPeerConnection(state, due)
        break
      case 'authorization':
        authorizations.forget(due)
        break
      default:
        unreachable(due)
    }
  }
}
