/** Which candidates go together (RFC 8445 §6.1.2.2, RFC 6544 §6.2). */

import { type IpWords, isIPv4 } from '../core/ip.ts'
import type { CandidateDescription, LocalCandidate, RemoteCandidate, TcpType } from './candidate.ts'

/** Passive candidates wait for the other side, so no check begins with one (RFC 6544 §6.2). */
const tcpPartner: Readonly<Record<TcpType, TcpType | undefined>> = {
  active: 'passive',
  passive: undefined,
  so: 'so',
}

/** Whether a check may begin with this pair. */
export function canPair(local: LocalCandidate, remote: RemoteCandidate): boolean {
  return (
    local.stream === remote.stream &&
    local.component === remote.component &&
    local.protocol === remote.protocol &&
    isIPv4(local.address) === isIPv4(remote.address) &&
    isLinkLocal(local.address) === isLinkLocal(remote.address) &&
    isTcpMatch(local, remote) &&
    // A name stands for a private address, which no relay reaches and none need be told.
    !(local.type === 'relay' && remote.name !== undefined)
  )
}

function isTcpMatch(local: CandidateDescription, remote: CandidateDescription): boolean {
  if (local.protocol === 'udp') return true
  return local.tcpType !== undefined && tcpPartner[local.tcpType] === remote.tcpType
}

/** fe80::/10. IPv4 link-local addresses are left alone: RFC 8445 speaks of IPv6. */
function isLinkLocal(ip: IpWords): boolean {
  return !isIPv4(ip) && ip.a >>> 22 === 0x3fa
}
