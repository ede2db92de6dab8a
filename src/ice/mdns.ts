/**
 * mDNS names instead of host addresses (draft-ietf-mmusic-mdns-ice-candidates): what a peer sees of candidates that are
 * not to tell where we are. Announcing and resolving the names is the driver's business.
 */

import type { Random } from '../core/random.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { CandidateDescription, LocalCandidate } from './candidate.ts'

/** A random (version 4) UUID and `.local`. */
export function newMdnsName(random: Random): string {
  const bytes = random.bytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  const groups = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
  return `${groups.join('-')}.local`
}

/**
 * A `describe` for IceAgentOptions: host candidates by the name that `nameOf` gives to their address, and no other candidate
 * with a related address that would give it away.
 */
export function describeByName(
  nameOf: (address: TransportAddress) => string,
): (candidate: LocalCandidate) => CandidateDescription {
  return (candidate) => {
    if (candidate.type === 'host') {
      const { address } = candidate
      return { ...candidate, address: { name: nameOf(address), port: address.port } }
    }
    return withoutRelated(candidate)
  }
}

/** RFC 8839 §5.1: a related address that is not to be revealed is 0.0.0.0 or ::, with port 9. */
export function withoutRelated(candidate: LocalCandidate): CandidateDescription {
  const { related, ...rest } = candidate
  return rest
}
