/** What an agent makes of a gathered candidate: foundation and priority (RFC 8445 §5.1.1.3, §5.1.2). */

import { isIPv4 } from '../core/ip.ts'
import {
  candidatePriority,
  type LocalCandidate,
  maxLocalPreference,
  type RelayProtocol,
} from './candidate.ts'
import type { GatheredCandidate } from './gathered-candidate.ts'
import type { Generation } from './generation.ts'
import type { Session } from './session.ts'

/** TURN over UDP before TCP before TLS: each step takes a share of the 16 bits. */
const relayPenalty: Readonly<Record<RelayProtocol, number>> = { udp: 0, tcp: 0x4000, tls: 0x8000 }

export function localCandidateOf(
  gathered: GatheredCandidate,
  generation: Generation,
  session: Session,
): LocalCandidate {
  const { type, socket, address, server, tcpType, relayProtocol, url, networkCost } = gathered
  const protocol = gathered.protocol ?? 'udp'
  const component = gathered.component ?? 1
  const base = gathered.base ?? address
  const penalty = relayProtocol === undefined ? 0 : relayPenalty[relayProtocol]
  let localPreference = Math.max(
    0,
    (gathered.localPreference ?? nextPreference(gathered, generation)) - penalty,
  )
  const stream = gathered.stream ?? 0
  const priorityWith = (preference: number) =>
    candidatePriority({ type, protocol, tcpType, component, localPreference: preference })
  const isTaken = (priority: number) =>
    generation.locals.some((other) => other.stream === stream && other.priority === priority)
  while (localPreference > 0 && isTaken(priorityWith(localPreference))) localPreference--
  return {
    id: session.newId('L'),
    stream,
    component,
    protocol,
    type,
    tcpType,
    address,
    socket,
    base,
    related: gathered.related ?? (type === 'host' ? undefined : base),
    foundation: generation.foundations.of({ type, base, protocol, server }),
    priority: priorityWith(localPreference),
    checkPriority: candidatePriority({ type: 'prflx', protocol, tcpType, component, localPreference }),
    ufrag: generation.credentials.ufrag,
    relayProtocol,
    url,
    networkCost,
  }
}

/** In the order of arrival, IPv6 and IPv4 in turns with IPv6 first (RFC 8421 §4); 65535 where there is only one. */
function nextPreference(gathered: GatheredCandidate, generation: Generation): number {
  const isV4 = isIPv4(gathered.address)
  const [v4, v6] = [true, false].map((wanted) =>
    generation.locals.filter(({ type, address }) => type === gathered.type && isIPv4(address) === wanted),
  )
  if (isV4) return maxLocalPreference - 2 * v4!.length - (v6!.length > 0 ? 1 : 0)
  return maxLocalPreference - 2 * v6!.length
}
