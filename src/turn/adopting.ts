/** Taking up a reservation or a mobile allocation that another engine has handed over, its sockets bound again. */

import type { Instant } from '../core/time.ts'
import { Allocation, RelayedTransportAddress } from './allocation.ts'
import type { Credential } from './credential.ts'
import type { RelaySocket } from './relay-sockets.ts'
import type { ServerState } from './request.ts'
import { Reservation } from './reservation.ts'
import { noSocket } from './socket-numbers.ts'
import type { Transferred, TransferredAllocation, TransferredReservation } from './transfer-items.ts'

/** `sockets` are in the order of `portsOf(item)`; `credential` is the owner's, as shown here. */
export function adopt(
  state: ServerState,
  item: Transferred,
  sockets: readonly RelaySocket[],
  credential: Credential,
  now: Instant,
): void {
  if (item.kind === 'reservation') adoptReservation(state, item, sockets[0]!, now)
  else adoptAllocation(state, item, sockets, credential, now)
}

function adoptReservation(
  { reservations }: ServerState,
  { token, userId, rateSlot, deadline }: TransferredReservation,
  socket: RelaySocket,
  now: Instant,
): void {
  const reservation = new Reservation(token, { userId, rateSlot }, socket, now)
  reservation.deadline = deadline
  reservations.putBack(reservation)
}

function adoptAllocation(
  state: ServerState,
  item: TransferredAllocation,
  sockets: readonly RelaySocket[],
  credential: Credential,
  now: Instant,
): void {
  const { allocations, mobile, udpListeners, counters } = state
  const { id, userId, transactionId, lifetime, createdAt } = item
  // The address that it had goes on being served, if by a socket that we have too: data for the client leaves there.
  const { client, transport } = item.path
  const isReachable = item.path.transport === 'udp' && udpListeners.has(item.path.socket)
  const socket = isReachable ? item.path.socket : noSocket
  const path = { socket, client, transport }
  const allocation = new Allocation({
    ...{ id, userId, ...path, relayTransport: 'udp', credential, transactionId, lifetime, createdAt },
  })
  const { bytesFromClient, bytesToClient, packetsFromClient, packetsToClient } = item
  Object.assign(allocation, { bytesFromClient, bytesToClient, packetsFromClient, packetsToClient })
  allocation.rateSlot = item.rateSlot
  mobile?.adopt(allocation, item.handle, item.generation)
  if (isReachable) allocations.add(allocation)
  else allocations.addAway(allocation)
  const relayed = sockets.map((one) => {
    const half = new RelayedTransportAddress(allocation, one.socket, one.local, one.address, now)
    allocations.addRelayed(half)
    return half
  })
  allocations.activate(allocation, now)
  for (const [i, { deadline, permissions, channels }] of item.relayed.entries()) {
    const half = relayed[i]!
    const left = (until: Instant) => Math.max(0, until - now) / 1000
    allocations.refresh(half, left(deadline), now)
    const known = permissions.map(({ peer, deadline: until }) =>
      allocations.permit(half, peer, left(until), now),
    )
    for (const { number, peer, deadline: until } of channels) {
      const permission =
        known.find((one) => one.peer.ip === peer.ip) ?? allocations.permit(half, peer, 0, now)
      allocations.bindChannel(permission, number, peer, left(until), now)
    }
  }
  counters.allocations = allocations.size
}
