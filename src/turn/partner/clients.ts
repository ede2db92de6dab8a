/**
 * Which clients a pair of partners serves together. Who answers for the other has never had a packet of that client: it
 * must not be made to write into its own network, to itself, or to many.
 */

import { type IpWords, isIPv4, isLoopbackIp } from '../../core/ip.ts'
import { PeerPolicy } from '../peer-policy.ts'

const everybody = new PeerPolicy({ allow: [], deny: [] })

/**
 * A client of the server's own family that is a peer by policy. A pair whose own address is private serves private
 * clients, and one on loopback those on loopback, unless the policy denies them by name.
 */
export function isSharedClient(client: IpWords, own: IpWords, policy: PeerPolicy): boolean {
  if (isIPv4(client) !== isIPv4(own)) return false
  if (policy.allows(client)) return true
  if (everybody.allows(own) || policy.denies(client)) return false
  return isLoopbackIp(client) === isLoopbackIp(own)
}
