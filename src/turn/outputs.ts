/** What a TurnServer asks of the world and tells it, as one ordered queue. */

import type { SocketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { AllocationRecord } from './allocation.ts'

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
  | { readonly type: 'close-relay'; readonly socket: SocketId }
  | { readonly type: 'allocation-created'; readonly allocation: AllocationRecord }
  | { readonly type: 'allocation-ended'; readonly allocation: AllocationRecord; readonly reason: EndReason }

/** `disconnected`: the client's TCP or TLS connection was closed. */
export type EndReason = 'expired' | 'released' | 'disconnected' | 'shutdown'
