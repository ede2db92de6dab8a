/** In which order pairs are checked. */

import { type IpWords, isIPv4 } from '../core/ip.ts'
import type { CandidatePair } from './candidate-pair.ts'
import type { PolicyView } from './policy.ts'

/**
 * By priority, except that pairs which only a shared private network could connect come after those that anything
 * could, when both sides are known to be on different ones.
 * Deviation: RFC 8445 §6.1.4.2 goes by priority alone. Both sides see the same addresses and come to the same order.
 */
export function defaultNextCheck(
  waiting: readonly CandidatePair[],
  view: PolicyView,
): CandidatePair | undefined {
  return waiting.find((pair) => !isImplausible(pair, view)) ?? waiting[0]
}

/**
 * Whether a pair leads to a private address of the peer although the peer is seen from outside at another public
 * address than we are. Not known to be useless: a VPN or a route may connect the two networks.
 */
export function isImplausible(pair: CandidatePair, view: PolicyView): boolean {
  const { address, type } = pair.remote
  if (type !== 'host' || !isPrivate(address)) return false
  const theirs = view.pairs.filter(
    ({ remote }) => remote.type === 'srflx' && isIPv4(remote.address) === isIPv4(address),
  )
  if (theirs.length === 0) return false
  const ours = view.reflexive.filter((candidate) => isIPv4(candidate.address) === isIPv4(address))
  if (isPrivate(pair.local.base) && ours.length === 0) return false
  return theirs.every(({ remote }) => ours.every((candidate) => candidate.address.ip !== remote.address.ip))
}

/** RFC 1918, RFC 6598, RFC 3927; fc00::/7 and fe80::/10. */
export function isPrivate(ip: IpWords): boolean {
  if (!isIPv4(ip)) return ip.a >>> 25 === 0x7e || ip.a >>> 22 === 0x3fa
  const first = ip.d >>> 24
  const second = (ip.d >>> 16) & 255
  return (
    first === 10 ||
    (first === 172 && second >> 4 === 1) ||
    (first === 192 && second === 168) ||
    (first === 100 && second >> 6 === 1) ||
    (first === 169 && second === 254)
  )
}
