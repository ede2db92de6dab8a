/** A candidate as a gatherer has found it (RFC 8445 §5.1.1): before it has a foundation and a priority. */

import type { SocketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { CandidateProtocol, CandidateType, RelayProtocol, TcpType } from './candidate.ts'

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
