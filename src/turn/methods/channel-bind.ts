/** ChannelBind: RFC 8656 §12.2. */

import { isChannelNumber } from '../channel-data.ts'
import { type Outcome, reject, succeed } from '../outcome.ts'
import type { AllocationRequest, ServerState } from '../request.ts'

export function handleChannelBind(request: AllocationRequest, state: ServerState): Outcome {
  const { allocation, message, now } = request
  // Channels are for datagrams: a TCP allocation has connections (RFC 6062 §3).
  if (allocation.relayTransport !== 'udp') return reject(400)
  const number = message.get('CHANNEL-NUMBER')
  const peer = message.get('XOR-PEER-ADDRESS')
  // 1. Both attributes, a channel number that clients may bind, and a port that can be sent to.
  if (number === undefined || peer === undefined || peer.port === 0) return reject(400)
  if (!isChannelNumber(number, state.options.allowLegacyChannels === true)) return reject(400)
  // 2. Number and peer are bound to each other or not at all.
  const channel = allocation.channels?.get(number)
  if (channel !== undefined && !channel.peer.equals(peer)) return reject(400)
  const relayed = allocation.relayedFor(peer)
  const other = relayed === undefined ? undefined : state.allocations.findChannel(relayed, peer, now)
  if (other !== undefined && other.number !== number) return reject(400)
  // 3. The peer's family, and whether it is allowed.
  if (relayed === undefined) return reject(443)
  if (state.peers.judge(peer) === 'forbidden') return reject(403)
  // 4. Room for a new channel and its permission; refreshing is never refused.
  const { maxChannels, maxPermissions, permissionLifetime, channelLifetime } = state.limits
  const isNewPermission = state.allocations.findPermission(relayed, peer, now) === undefined
  const channels = allocation.channels?.size ?? 0
  const permissions = allocation.permissions?.length ?? 0
  const isFull = channels >= maxChannels || (isNewPermission && permissions >= maxPermissions)
  if (channel === undefined && isFull) return reject(508)
  // 5. Create or refresh the binding and the permission.
  const permission = state.allocations.permit(relayed, peer, permissionLifetime, now)
  state.allocations.bindChannel(permission, number, peer, channelLifetime, now)
  return succeed()
}
