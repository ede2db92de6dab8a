/** What a TurnServer asks of the world and tells it, as one ordered queue. */

import type { SocketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { AllocationRecord } from './allocation.ts'
import type { AuthenticationFailure } from './authentication.ts'
import type { PartnerRequest } from './partner/datagram.ts'
import type { ConnectionId } from './peer-connection.ts'
import type { TransferKey } from './transfer-items.ts'

/** In the order in which they are to be carried out. */
export type ServerOutput =
  | {
      readonly type: 'transmit'
      readonly socket: SocketId
      readonly destination: TransportAddress
      /** Owned by the reader. */
      readonly bytes: Uint8Array
    }
  /** Open a UDP socket there, and tell `relayBound` or `relayFailed`. */
  | { readonly type: 'bind-relay'; readonly socket: SocketId; readonly address: TransportAddress }
  /** Listen for TCP connections there, so that others can be made from there; and tell as for `bind-relay`. */
  | { readonly type: 'listen-relay'; readonly socket: SocketId; readonly address: TransportAddress }
  | { readonly type: 'close-relay'; readonly socket: SocketId }
  /** Connect from there to the peer, read nothing of it yet, and tell `peerConnected` or `peerFailed`. */
  | {
      readonly type: 'connect-peer'
      readonly connection: ConnectionId
      readonly local: TransportAddress
      readonly peer: TransportAddress
      readonly timeoutMs: number
    }
  /** Join the connection with the client's, which carries no more messages, and tell `peerData` and `peerClosed`. */
  | { readonly type: 'bind-peer'; readonly connection: ConnectionId; readonly stream: SocketId }
  /** Close the connection in whatever state it is, and the client's that is joined with it. */
  | { readonly type: 'close-peer'; readonly connection: ConnectionId }
  | { readonly type: 'allocation-created'; readonly allocation: AllocationRecord }
  /** Its client is at another address now. */
  | {
      readonly type: 'allocation-moved'
      readonly allocation: AllocationRecord
      readonly from: TransportAddress
    }
  | { readonly type: 'allocation-ended'; readonly allocation: AllocationRecord; readonly reason: EndReason }
  /** Who has that name, or none if it is the hash of one? Tell `authorized`, within ten seconds. */
  | {
      readonly type: 'authorize'
      readonly id: number
      /** Undefined where the client has shown a hash in its place. */
      readonly username: string | undefined
      readonly userHash: Uint8Array | undefined
    }
  /** Where quotas are counted for several engines: may the user have that many more? Tell `quotaDecided`. */
  | {
      readonly type: 'claim-quota'
      readonly claim: number
      readonly userId: string
      readonly count: number
    }
  /** The user has so many less. */
  | { readonly type: 'return-quota'; readonly userId: string; readonly count: number }
  /** Does that engine have it? Tell `fetched`. */
  | { readonly type: 'fetch'; readonly id: number; readonly owner: number; readonly key: TransferKey }
  /** For the link of that number: what has come from the partner's port to our same one, signed with our key. */
  | {
      readonly type: 'partner-datagram'
      readonly link: number
      readonly lane: number
      readonly bytes: Uint8Array
    }
  /** The partner of that link is to answer this. */
  | { readonly type: 'partner-forward'; readonly link: number; readonly request: PartnerRequest }
  /** Who receives what is sent there has shown a wrong credential; told once a minute for each /32 or /64. */
  | {
      readonly type: 'authentication-failed'
      readonly source: TransportAddress
      /** As it came, cut short: to be escaped where it is shown. */
      readonly username: string
      readonly reason: AuthenticationFailure
      /** How often since the last time this was told of that prefix, this time included. */
      readonly times: number
    }
  /** Answers to unproven sources were held back; told once a minute. */
  | {
      readonly type: 'answers-withheld'
      /** Of the last one. */
      readonly source: TransportAddress
      readonly times: number
    }

/** What is told of sources that do wrong. */
export type Notice = Extract<ServerOutput, { type: 'authentication-failed' | 'answers-withheld' }>

/** `disconnected`: the client's TCP or TLS connection was closed. */
export type EndReason = 'expired' | 'released' | 'disconnected' | 'shutdown'
