/** What an agent has to say, in the order in which it is to be carried out or told. */

import type { SocketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { CandidateDescription, LocalCandidate, RemoteCandidate } from './candidate.ts'
import type { PairFailure, PairState } from './candidate-pair.ts'
import type { IceRole } from './role.ts'
import type { SendPath } from './send-path.ts'

/** What a packet is for: for logs, and for tests that look at the pacing of checks. */
export type TransmitPurpose =
  | 'check'
  | 'retransmission'
  | 'nomination'
  | 'consent'
  | 'probe'
  | 'keepalive'
  | 'response'

export type IceOutput =
  | {
      readonly type: 'transmit'
      readonly socket: SocketId
      readonly destination: TransportAddress
      /** Owned by the reader. */
      readonly bytes: Uint8Array
      readonly purpose: TransmitPurpose
    }
  /** Open a TCP connection from that address, and tell `connectionOpened` or `connectionFailed`. */
  | {
      readonly type: 'open-connection'
      readonly connection: SocketId
      /** The socket that the local candidate was added with. */
      readonly socket: SocketId
      /** The port is 9 for an active candidate: any. For 'so', the very port of the candidate. */
      readonly local: TransportAddress
      readonly remote: TransportAddress
    }
  | { readonly type: 'close-connection'; readonly connection: SocketId }
  /** Find the addresses of an mDNS name, and tell `nameResolved`. */
  | { readonly type: 'resolve-name'; readonly name: string }
  | IceEvent

export type IceEvent =
  /** To be signalled to the peer, with the fragment of the generation it belongs to. */
  | {
      readonly type: 'local-candidate'
      readonly stream: number
      readonly ufrag: string
      /** As the peer is to see it. */
      readonly candidate: CandidateDescription
      readonly local: LocalCandidate
    }
  | { readonly type: 'end-of-candidates'; readonly ufrag: string }
  /** What was signalled is of no use. The session goes on without it. */
  | {
      readonly type: 'remote-candidate-ignored'
      readonly candidate: CandidateDescription
      readonly reason: IgnoredReason
    }
  | { readonly type: 'state'; readonly state: IceState; readonly reason: string | undefined }
  /** Where data goes has changed: `sendPath` gives it from now on; undefined: no data may be sent. */
  | {
      readonly type: 'path'
      readonly stream: number
      readonly component: number
      readonly path: SendPath | undefined
      readonly reason: PathReason
    }
  /** A pair has been nominated and is selected. */
  | {
      readonly type: 'selected-pair'
      readonly stream: number
      readonly component: number
      readonly pair: PairSummary
      readonly previous: PairSummary | undefined
    }
  | { readonly type: 'pair-failed'; readonly pair: PairSummary }
  | { readonly type: 'role'; readonly role: IceRole; readonly reason: 'request' | 'response' | 'lite-peer' }
  /** Nothing of this session can be saved: restart, or give up. */
  | { readonly type: 'restart-needed'; readonly reason: string; readonly pairs: readonly PairSummary[] }
  /** The restart came to nothing; the session goes on as it was before. */
  | { readonly type: 'restart-failed'; readonly ufrag: string; readonly pairs: readonly PairSummary[] }
  /** The old generation's sockets and candidates are not used any more, unless the new one uses them too. */
  | { readonly type: 'generation-retired'; readonly ufrag: string }

/**
 * new: no remote description. checking: no valid pair yet. connected: data may flow. completed: pairs are selected.
 * disconnected: nothing has come from the peer lately; it may recover. failed: only a restart helps.
 */
export type IceState = 'new' | 'checking' | 'connected' | 'completed' | 'disconnected' | 'failed' | 'closed'

export type PathReason =
  | 'first-valid-pair'
  | 'better-valid-pair'
  | 'nominated'
  | 'fallback'
  | 'restarted'
  | 'consent-expired'
  | 'consent-revoked'
  | 'pair-lost'

export type IgnoredReason =
  | 'old-generation'
  | 'after-end-of-candidates'
  | 'unusable-address'
  | 'unusable-name'
  | 'name-not-resolved'
  | 'no-such-stream'
  | 'no-such-component'
  | 'too-many'

export interface PairSummary {
  readonly id: string
  readonly stream: number
  readonly component: number
  /** The base's candidate, or of a valid pair the one that the peer has seen. */
  readonly local: LocalCandidate
  readonly remote: RemoteCandidate
  readonly state: PairState
  readonly isNominated: boolean
  readonly priority: bigint
  readonly rttMs: number | undefined
  readonly failure: PairFailure | undefined
  readonly failureDetail: string | undefined
}
