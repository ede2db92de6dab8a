/** How allocations, one family of them, and reservations end: everything that they held is given back. */

import type { Allocation, RelayedTransportAddress } from './allocation.ts'
import { reject } from './outcome.ts'
import type { EndReason } from './outputs.ts'
import type { PeerConnection } from './peer-connection.ts'
import type { ServerState } from './request.ts'
import type { Reservation } from './reservation.ts'

export function endAllocation(state: ServerState, allocation: Allocation, reason: EndReason): void {
  const wasActive = allocation.state === 'active'
  state.allocations.remove(allocation)
  state.mobile?.remove(allocation)
  const held = state.binder.cancel(allocation)?.held ?? 1
  for (const connection of state.connections.of(allocation)) endPeerConnection(state, connection)
  for (const relayed of allocation.relayed) state.sockets.close(relayed)
  if (!state.quotas.giveUp(allocation)) state.quotas.release(allocation.userId, held)
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
    for (const connection of state.connections.of(allocation)) {
      if (connection.relayed === relayed) endPeerConnection(state, connection)
    }
    state.allocations.removeRelayed(relayed)
    state.sockets.close(relayed)
  }
}

/** Closes a connection with a peer, and the client's for it. A Connect that waits for it has failed (RFC 6062 §5.5). */
export function endPeerConnection(state: ServerState, connection: PeerConnection): void {
  state.connections.remove(connection)
  state.outputs.push({ type: 'close-peer', connection: connection.id })
  if (connection.state.name === 'connecting') state.answers.answer(connection.state.reply, reject(447))
}

/** Nobody has come for it. */
export function endReservation(state: ServerState, reservation: Reservation): void {
  state.reservations.remove(reservation)
  state.sockets.close(reservation)
  state.quotas.release(reservation.userId, 1)
}
