/** CreatePermission: RFC 8656 §10.2. All of the addresses or none. */

import { isSameIp } from '../../core/ip.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import { defaults, limits } from '../options.ts'
import { type AllocationRequest, type Outcome, reject, type ServerState, succeed } from '../request.ts'

export function handleCreatePermission(request: AllocationRequest, state: ServerState): Outcome {
  const { allocation, message, now } = request
  const peers = message.all('XOR-PEER-ADDRESS')
  // 1. At least one address; malformed ones have been refused before.
  if (peers.length === 0) return reject(400)
  // 2. Each of the family that the allocation relays, and each allowed.
  if (peers.some((peer) => peer.family !== allocation.relayed.family)) return reject(443)
  if (peers.some((peer) => state.peers.judgeIp(peer) === 'forbidden')) return reject(403)
  // 3. Room for those that are new; refreshing is never refused.
  const added = distinctIps(peers).filter(
    (peer) => state.allocations.findPermission(allocation, peer, now) === undefined,
  )
  if (added.length > 0 && allocation.permissions.size + added.length > limits.permissionsPerAllocation) {
    return reject(508)
  }
  // 4. Install or refresh.
  for (const peer of peers) state.allocations.permit(allocation, peer, defaults.permissionLifetime, now)
  return succeed()
}

function distinctIps(peers: readonly TransportAddress[]): TransportAddress[] {
  return peers.filter((peer, i) => peers.findIndex((other) => isSameIp(peer, other)) === i)
}
