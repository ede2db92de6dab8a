/** CreatePermission: RFC 8656 §10.2. All of the addresses or none. */

import { isSameIp } from '../../core/ip.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import { type Outcome, reject, succeed } from '../outcome.ts'
import type { AllocationRequest, ServerState } from '../request.ts'

export function handleCreatePermission(request: AllocationRequest, state: ServerState): Outcome {
  const { allocation, message, now } = request
  const peers = message.all('XOR-PEER-ADDRESS')
  // 1. At least one address; malformed ones have been refused before.
  if (peers.length === 0) return reject(400)
  // 2. Each of a family that the allocation relays, and each allowed.
  if (peers.some((peer) => allocation.relayedFor(peer) === undefined)) return reject(443)
  if (peers.some((peer) => state.peers.judgeIp(peer) === 'forbidden')) return reject(403)
  // 3. Room for those that are new; refreshing is never refused.
  const added = distinctIps(peers).filter(
    (peer) => state.allocations.findPermission(allocation.relayedFor(peer)!, peer, now) === undefined,
  )
  const held = allocation.permissions?.length ?? 0
  if (added.length > 0 && held + added.length > state.limits.maxPermissions) return reject(508)
  // 4. Install or refresh.
  for (const peer of peers) {
    state.allocations.permit(allocation.relayedFor(peer)!, peer, state.limits.permissionLifetime, now)
  }
  return succeed()
}

function distinctIps(peers: readonly TransportAddress[]): TransportAddress[] {
  return peers.filter((peer, i) => peers.findIndex((other) => isSameIp(peer, other)) === i)
}
