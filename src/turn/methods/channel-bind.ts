/** ChannelBind: RFC 8656 §12.2. */

import { isChannelNumber } from '../channel-data.ts'
import { defaults, limits } from '../options.ts'
import { type Outcome, reject, succeed } from '../outcome.ts'
import type { AllocationRequest, ServerState } from '../request.ts'

export function handleChannelBind(request: AllocationRequest, state: ServerState): Outcome {
  const { allocation, message, now } = request
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
  // 4. Room for what is new.
  const isNewPermission = state.allocations.findPermission(relayed, peer, now) === undefined
  const channels = allocation.channels?.size ?? 0
  if (channel === undefined && channels >= limits.channelsPerAllocation) return reject(508)
  const permissions = allocation.permissions?.length ?? 0
  if (isNewPermission && permissions >= limits.permissionsPerAllocation) return reject(508)
  // 5. Create or refresh the binding and the permission.
  const permission = state.allocations.permit(relayed, peer, defaults.permissionLifetime, now)
  state.allocations.bindChannel(permission, number, peer, defaults.channelLifetime, now)
  return succeed()
}
