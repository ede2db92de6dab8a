/** Connect: RFC 6062 §5.2. The answer comes when the peer has answered, or has not. */

import type { AddressWords, TransportAddress } from '../../core/transport-address.ts'
import type { RelayedTransportAddress } from '../allocation.ts'
import { limits } from '../options.ts'
import { type Outcome, reject } from '../outcome.ts'
import type { AllocationRequest, ServerState } from '../request.ts'

export function handleConnect(request: AllocationRequest, state: ServerState): Outcome {
  const { allocation, message, socket, client, method, transactionId, key, now } = request
  // 1. A TCP allocation.
  if (allocation.relayTransport !== 'tcp') return reject(437)
  // 2. A peer that can be connected to.
  const peer = message.get('XOR-PEER-ADDRESS')
  if (peer === undefined || peer.port === 0) return reject(400)
  const relayed = allocation.relayedFor(peer)
  if (relayed === undefined) return reject(443)
  // 3. Local policy, which is the same for every way to a peer.
  const target = reachable(state, peer)
  if (target === undefined) return reject(403)
  // 4. One connection to each peer, whoever has made it, on its way or there.
  if (state.connections.findByPeer(relayed, peer) !== undefined) return reject(446)
  if (!state.connections.hasRoom(allocation)) return reject(508)
  // 5. From the relayed transport address.
  const reply = { socket, client, method, transactionId, key }
  const connection = state.connections.add(relayed, peer, { name: 'connecting', reply }, now)
  state.outputs.push({
    type: 'connect-peer',
    connection: connection.id,
    local: relayed.local,
    peer: target,
    timeoutMs: limits.connectSeconds * 1000,
  })
  return { type: 'later' }
}

/** Where the peer is reached: within this host if it is a relayed address of our own; undefined if it is forbidden. */
function reachable(
  { peers, allocations }: ServerState,
  peer: TransportAddress,
): TransportAddress | undefined {
  const verdict = peers.judge(peer)
  if (verdict === 'forbidden') return undefined
  const neighbour = neighbourAt(allocations, peer)
  return verdict === 'inside' ? neighbour?.local : peer
}

/** The TCP allocation of our own that listens there, by whatever address it is named. */
export function neighbourAt(
  allocations: ServerState['allocations'],
  address: AddressWords,
): RelayedTransportAddress | undefined {
  return allocations.findByRelayed(address, 'tcp')
}
