/** Candidates as they are gathered, and what an agent makes of them (RFC 8445 §5.1.1, §5.1.2). */

import { isIPv4 } from '../core/ip.ts'
import type { SocketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import {
  type CandidateProtocol,
  type CandidateType,
  candidatePriority,
  type LocalCandidate,
  maxLocalPreference,
  type RelayProtocol,
  type TcpType,
} from './candidate.ts'
import type { Generation } from './generation.ts'
import type { Session } from './session.ts'

/** What a gatherer has found. */
export interface GatheredCandidate {
  readonly type: Exclude<CandidateType, 'prflx'>
  /** What packets are sent from: the UDP socket, the TURN allocation, or of TCP the interface or listener. */
  readonly socket: SocketId
  readonly address: TransportAddress
  /** Of a server-reflexive candidate: the address of the socket. Unless given, the candidate is its own base. */
  readonly base?: TransportAddress | undefined
  /** Of a relayed candidate: the mapped address that the TURN server told. */
  readonly related?: TransportAddress | undefined
  /** The STUN or TURN server that it came from. */
  readonly server?: TransportAddress | undefined
  readonly url?: string | undefined
  readonly relayProtocol?: RelayProtocol | undefined
  readonly protocol?: CandidateProtocol | undefined
  readonly tcpType?: TcpType | undefined
  readonly stream?: number | undefined
  readonly component?: number | undefined
  /** 0–65535, unique among candidates of one type; see `localPreferences`. In the order of arrival unless given. */
  readonly localPreference?: number | undefined
  readonly networkCost?: number | undefined
}

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
  const localPreference = gathered.localPreference ?? nextPreference(gathered, generation)
  const inputs = { protocol, tcpType, localPreference, component }
  return {
    id: session.newId('L'),
    stream: gathered.stream ?? 0,
    component,
    protocol,
    type,
    tcpType,
    address,
    socket,
    base,
    related: gathered.related ?? (type === 'host' ? undefined : base),
    foundation: generation.foundations.of({ type, base, protocol, server }),
    priority: candidatePriority({ ...inputs, type }),
    checkPriority: candidatePriority({ ...inputs, type: 'prflx' }),
    ufrag: generation.credentials.ufrag,
    relayProtocol,
    url,
    networkCost,
  }
}

/** In the order of arrival, IPv6 and IPv4 in turns with IPv6 first (RFC 8421 §4). */
function nextPreference(gathered: GatheredCandidate, generation: Generation): number {
  const isV4 = isIPv4(gathered.address)
  const before = generation.locals.filter(
    (candidate) => candidate.type === gathered.type && isIPv4(candidate.address) === isV4,
  ).length
  const penalty = gathered.relayProtocol === undefined ? 0 : relayPenalty[gathered.relayProtocol]
  return Math.max(0, maxLocalPreference - penalty - 2 * before - (isV4 ? 1 : 0))
}
