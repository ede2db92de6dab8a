/** Handing a reservation or a mobile allocation over to another engine (see transfers.ts). */

import type { Instant } from '../core/time.ts'
import type { Allocation, RelayedTransportAddress } from './allocation.ts'
import type { ServerState } from './request.ts'
import type { FetchAnswer, TransferKey, TransferredRelayed } from './transfer-items.ts'

/** Takes out what is asked for. Its ports are `engine`'s from now on, and so is what it holds of its user's quota. */
export function give(state: ServerState, key: TransferKey, engine: number, now: Instant): FetchAnswer {
  return key.kind === 'reservation'
    ? giveReservation(state, key.token, engine, now)
    : giveAllocation(state, key, engine)
}

function giveReservation(
  { reservations, sockets, quotas }: ServerState,
  token: Uint8Array,
  engine: number,
  now: Instant,
): FetchAnswer {
  const reservation = reservations.find(token, now)
  if (reservation === undefined) return undefined
  const { userId, rateSlot, local, deadline } = reservation
  reservations.remove(reservation)
  sockets.handOver(reservation, engine)
  quotas.handOver(userId, 1)
  return { kind: 'reservation', token: reservation.token, userId, rateSlot, local, deadline }
}

function giveAllocation(
  state: ServerState,
  { handle, generation, owner }: Extract<TransferKey, { kind: 'allocation' }>,
  engine: number,
): FetchAnswer {
  const allocation = state.mobile?.at(handle)
  const mobility = allocation?.mobility
  if (allocation === undefined || mobility === undefined) return undefined
  const { credential, id, userId, rateSlot, transactionId, lifetime, createdAt } = allocation
  const { socket, client, transport } = allocation
  if (!credential.isSameOwner(owner)) return { kind: 'refused', code: 441 }
  if (generation !== mobility.generation) return { kind: 'refused', code: 400 }
  const relayed = allocation.relayed.map(relayedOf)
  const { bytesFromClient, bytesToClient, packetsFromClient, packetsToClient } = allocation
  state.allocations.remove(allocation)
  state.mobile?.remove(allocation)
  for (const one of allocation.relayed) state.sockets.handOver(one, engine)
  state.quotas.handOver(userId, 1)
  state.counters.allocations = state.allocations.size
  return {
    kind: 'allocation',
    ...{ id, userId, rateSlot, path: { socket, client, transport }, transactionId, lifetime, createdAt },
    ...{ handle, generation, relayed, bytesFromClient, bytesToClient, packetsFromClient, packetsToClient },
  }
}

function relayedOf(relayed: RelayedTransportAddress): TransferredRelayed {
  const { permissions = [], channels }: Allocation = relayed.allocation
  const { local, deadline } = relayed
  return {
    local,
    deadline,
    permissions: permissions
      .filter((permission) => permission.relayed === relayed)
      .map(({ peer, deadline: until }) => ({ peer, deadline: until })),
    channels: [...(channels?.values() ?? [])]
      .filter((channel) => channel.relayed === relayed)
      .map(({ number, peer, deadline: until }) => ({ number, peer, deadline: until })),
  }
}
