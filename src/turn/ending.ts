/** How allocations, one family of them, and reservations end: everything that they held is given back. */

import type { Allocation, RelayedTransportAddress } from './allocation.ts'
import type { EndReason } from './outputs.ts'
import type { ServerState } from './request.ts'
import type { Reservation } from './reservation.ts'

export function endAllocation(state: ServerState, allocation: Allocation, reason: EndReason): void {
  const wasActive = allocation.state === 'active'
  state.allocations.remove(allocation)
  state.mobile?.remove(allocation)
  const held = state.binder.cancel(allocation)?.held ?? 1
  for (const relayed of allocation.relayed) state.sockets.close(relayed)
  state.quotas.release(allocation.userId, held)
  state.counters.allocations = state.allocations.size
  if (wasActive) state.outputs.push({ type: 'allocation-ended', allocation, reason })
}

/** Ends those relayed transport addresses, and with the last one the allocation (RFC 8656 §8.1). */
export function endRelayed(
  state: ServerState,
  allocation: Allocation,
  ended: readonly RelayedTransportAddress[],
  reason: EndReason,
): void {
  if (ended.length === allocation.relayed.length) {
    endAllocation(state, allocation, reason)
    return
  }
  for (const relayed of ended) {
    state.allocations.removeRelayed(relayed)
    state.sockets.close(relayed)
  }
}

/** Nobody has come for it. */
export function endReservation(state: ServerState, reservation: Reservation): void {
  state.reservations.remove(reservation)
  state.sockets.close(reservation)
  state.quotas.release(reservation.userId, 1)
}
