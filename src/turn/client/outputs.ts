/** What a TurnClient says: what is to be done, and what has happened, in order. */

import type { TransportAddress } from '../../core/transport-address.ts'
import type { AddressFamily } from '../../stun/codecs.ts'
import type { ClientTransport } from '../socket-numbers.ts'
import type { PeerFailure, TurnFailure } from './failure.ts'
import type { TurnServerAddress } from './options.ts'

export type TurnClientOutput =
  /** Open a socket or connection from a local port not used before, and tell `transportOpened` or `transportFailed`. */
  | {
      readonly type: 'open-transport'
      readonly transport: ClientTransport
      readonly server: TurnServerAddress
    }
  /** Close what was opened; nothing from it is to be handed in any more. */
  | { readonly type: 'close-transport' }
  | {
      readonly type: 'transmit'
      readonly destination: TransportAddress
      /** A whole frame, owned by the reader. */
      readonly bytes: Uint8Array
    }
  | TurnClientEvent

export type TurnClientEvent =
  | { readonly type: 'allocated'; readonly allocation: ClientAllocation }
  /** What `verify` has asked: the allocation is still there. */
  | { readonly type: 'verified' }
  /** The allocation has moved to our new address (RFC 8016). */
  | { readonly type: 'moved' }
  /** The allocation is gone, with its permissions and channels. A new one is asked for: `allocated` or `failed` follows. */
  | { readonly type: 'allocation-lost'; readonly failure: TurnFailure }
  /** There is no allocation, and none will be. Nothing follows. */
  | { readonly type: 'failed'; readonly failure: TurnFailure }
  /** `close` is done. Nothing follows. */
  | { readonly type: 'closed' }
  | { readonly type: 'permission-installed'; readonly peer: TransportAddress }
  | { readonly type: 'permission-refused'; readonly peer: TransportAddress; readonly failure: PeerFailure }
  | { readonly type: 'channel-bound'; readonly peer: TransportAddress; readonly number: number }
  /** Data goes on as Send indications if a permission can be had. */
  | { readonly type: 'channel-refused'; readonly peer: TransportAddress; readonly failure: PeerFailure }
  | { readonly type: 'channel-expired'; readonly peer: TransportAddress; readonly number: number }
  /** A router has refused a packet to the peer (RFC 8656 §11.6). The port is 0 if it is not known. */
  | {
      readonly type: 'peer-unreachable'
      readonly peer: TransportAddress
      readonly icmp: { readonly type: number; readonly code: number; readonly data: number }
    }

export interface ClientAllocation {
  /** The relayed transport addresses: one, or one of each family. */
  readonly relayed: readonly TransportAddress[]
  /** Our address as the server sees it: the server-reflexive address, if the transport is UDP. */
  readonly mapped: TransportAddress | undefined
  /** Where the server is: not where it was looked for, if that one has sent us on. */
  readonly server: TransportAddress
  /** Seconds, as granted. */
  readonly lifetime: number
  /** For another allocation, on the next port (RFC 8656 §18.10). */
  readonly reservationToken: Uint8Array | undefined
  /** Of a dual allocation: the family that the server has not given, and why. */
  readonly missing: MissingFamily | undefined
}

export interface MissingFamily {
  readonly family: AddressFamily | number
  readonly code: number
  readonly reason: string
}
