/**
 * Candidates and their priorities (RFC 8445 §5.1.2, §5.1.3; RFC 6544 §4.2 for TCP). A priority is computed once,
 * when a candidate is made, and is signalled with it; nothing recomputes it later.
 */

import type { SocketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'

export type CandidateType = 'host' | 'srflx' | 'prflx' | 'relay'
export type CandidateProtocol = 'udp' | 'tcp'
/** Which side opens the connection (RFC 6544 §3). */
export type TcpType = 'active' | 'passive' | 'so'

/** A name that stands for an address, as browsers obfuscate host candidates (`uuid.local`), with the port. */
export interface NamedAddress {
  readonly name: string
  readonly port: number
}

/** What a candidate is to the other side: the content of an SDP candidate line (RFC 8839 §5.1). */
export interface CandidateDescription {
  /** 1–32 characters of A–Z a–z 0–9 + /. */
  readonly foundation: string
  readonly component: number
  readonly protocol: CandidateProtocol
  /** 1 to 2^31 - 1. */
  readonly priority: number
  readonly address: TransportAddress | NamedAddress
  readonly type: CandidateType
  readonly tcpType?: TcpType | undefined
  /** The base of a reflexive candidate, the mapped address of a relayed one. */
  readonly related?: TransportAddress | undefined
  /** Which generation of credentials the candidate belongs to, where the sender says so. */
  readonly ufrag?: string | undefined
  /** 0–999: what the sender's network costs it (`network-cost`, as Chromium writes it). */
  readonly networkCost?: number | undefined
}

/** A candidate of ours. */
export interface LocalCandidate extends CandidateDescription {
  readonly id: string
  readonly stream: number
  readonly address: TransportAddress
  /** Where packets of this candidate leave from: of a reflexive candidate the socket of its base. */
  readonly socket: SocketId
  /** The address of that socket; of a relayed candidate the relayed address itself. */
  readonly base: TransportAddress
  /** The PRIORITY that checks from here carry (RFC 8445 §7.1.1): as if it were peer-reflexive. */
  readonly checkPriority: number
  readonly relayProtocol?: RelayProtocol | undefined
  readonly url?: string | undefined
}

/** How a relayed candidate's own server is reached. */
export type RelayProtocol = 'udp' | 'tcp' | 'tls'

/** A candidate of the peer. One object for its life: a peer-reflexive one becomes the signalled one in place. */
export interface RemoteCandidate extends CandidateDescription {
  readonly id: string
  readonly stream: number
  readonly address: TransportAddress
  /** The name that it was signalled with, and that reports show instead of the address. */
  readonly name?: string | undefined
}

/** RFC 8445 §5.1.2.2, with TCP below UDP as RFC 6544 §4.2 recommends, and relays below everything. */
const typePreferences: Readonly<Record<CandidateProtocol, Readonly<Record<CandidateType, number>>>> = {
  udp: { host: 126, prflx: 110, srflx: 100, relay: 0 },
  tcp: { host: 90, prflx: 85, srflx: 80, relay: 0 },
}

/** RFC 6544 §4.2. Simultaneous open goes first where a NAT is in the way. */
const directionPreferences: Readonly<Record<'direct' | 'reflexive', Readonly<Record<TcpType, number>>>> = {
  direct: { active: 6, passive: 4, so: 2 },
  reflexive: { so: 6, active: 4, passive: 2 },
}

export const maxLocalPreference = 0xffff
/** The largest other-pref of a TCP candidate, which shares its 16 bits with the direction. */
const maxOtherPreference = 0x1fff
const maxPriority = 2 ** 31 - 1

export interface PriorityInputs {
  readonly type: CandidateType
  readonly protocol: CandidateProtocol
  readonly tcpType?: TcpType | undefined
  /** 0–65535, unique among candidates of one type and component. */
  readonly localPreference: number
  readonly component: number
}

/** RFC 8445 §5.1.2.1; for TCP, 13 bits of the preference remain beside the direction (RFC 6544 §4.2). */
export function candidatePriority(inputs: PriorityInputs): number {
  const { type, protocol, tcpType, localPreference, component } = inputs
  const preference =
    protocol === 'tcp' && tcpType !== undefined
      ? directionPreferences[isReflexive(type) ? 'reflexive' : 'direct'][tcpType] * 0x2000 +
        Math.min(localPreference >> 3, maxOtherPreference)
      : localPreference
  return typePreferences[protocol][type] * 0x1000000 + preference * 0x100 + (256 - component)
}

function isReflexive(type: CandidateType): boolean {
  return type === 'srflx' || type === 'prflx'
}

export function isPriority(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= maxPriority
}
