/** How much of everything an engine holds: for metrics, and for tests that nothing is left when nobody is. */

import type { ServerState } from './request.ts'

export interface Holdings {
  readonly allocations: number
  /** Five-tuples that are taken; a client on the move has two. */
  readonly clients: number
  /** Relay sockets that are open or asked for. */
  readonly relaySockets: number
  readonly permissions: number
  readonly channels: number
  readonly reservations: number
  readonly mobileAllocations: number
  readonly peerConnections: number
  readonly streams: number
  /** Ports that are taken, over all relay addresses. */
  readonly ports: number
  /** Users that hold something of their quota. */
  readonly users: number
  readonly deadlines: number
}

export function holdingsOf(state: ServerState): Holdings {
  const { allocations, clients, relayed, permissions, channels } = state.allocations.sizes
  return {
    allocations,
    clients,
    relaySockets: relayed + state.reservations.size + state.binder.sockets,
    permissions,
    channels,
    reservations: state.reservations.size,
    mobileAllocations: state.mobile?.size ?? 0,
    peerConnections: state.connections.size,
    streams: state.transports.size,
    ports: state.relays.takenPorts,
    users: state.quotas.users,
    deadlines: state.deadlines.size,
  }
}
