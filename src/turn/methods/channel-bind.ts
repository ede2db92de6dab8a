/** ChannelBind: RFC 8656 §12.2. */

import { isChannelNumber } from '../channel-data.ts'
import { defaults, limits } from '../options.ts'
import { type AllocationRequest, type Outcome, reject, type ServerState, succeed } from '../request.ts'

export function handleChannelBind(request: AllocationRequest, state: ServerState): Outcome {
  const { allocation, message, now } = request
  const number = message.get('CHANNEL-NUMBER')
  const peer = message.get('XOR-PEER-ADDRESS')
  // 1. Both attributes, a channel number that clients may bind, and a port that can be sent to.
  if (number === undefined || peer === undefined || peer.port === 0) return reject(400)
  if (!isChannelNumber(number, state.options.allowLegacyChannels === true)) return reject(400)
  // 2. Number and peer are bound to each other or not at all.
  const channel = allocation.channels.get(number)
  if (channel !== undefined && !channel.peer.equals(peer)) return reject(400)
  const other = state.allocations.findChannel(allocation, peer, now)
  if (other !== undefined && other.number !== number) return reject(400)
  // 3. The peer's family, and whether it is allowed.
  if (peer.family !== allocation.relayed.family) return reject(443)
  if (state.peers.judge(peer) === 'forbidden') return reject(403)
  // 4. Room for what is new.
  const isNewPermission = state.allocations.findPermission(allocation, peer, now) === undefined
  if (channel === undefined && allocation.channels.size >= limits.channelsPerAllocation) return reject(508)
  if (isNewPermission && allocation.permissions.size >= limits.permissionsPerAllocation) return reject(508)
  // 5. Create or refresh the binding and the permission.
  const permission = state.allocations.permit(allocation, peer, defaults.permissionLifetime, now)
  state.allocations.bindChannel(permission, number, peer, defaults.channelLifetime, now)
  return succeed()
}
