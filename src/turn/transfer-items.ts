/** What one engine hands over to another when a client has come to the other: values that can be sent to a thread. */

import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { Message } from '../stun/message.ts'
import type { ClientPath } from './client-path.ts'
import type { Credential, CredentialKind } from './credential.ts'
import type { Outcome } from './outcome.ts'

/** What is looked for. */
export type TransferKey =
  | { readonly kind: 'reservation'; readonly token: Uint8Array }
  /** What a mobility ticket says, and who shows it. */
  | {
      readonly kind: 'allocation'
      readonly handle: number
      readonly generation: number
      readonly owner: { readonly kind: CredentialKind; readonly username: string }
    }

export interface TransferredReservation {
  readonly kind: 'reservation'
  readonly token: Uint8Array
  readonly userId: string
  readonly rateSlot: number | undefined
  readonly local: TransportAddress
  readonly deadline: Instant
}

export interface TransferredRelayed {
  readonly local: TransportAddress
  readonly deadline: Instant
  readonly permissions: readonly { readonly peer: TransportAddress; readonly deadline: Instant }[]
  readonly channels: readonly {
    readonly number: number
    readonly peer: TransportAddress
    readonly deadline: Instant
  }[]
}

export interface TransferredAllocation {
  readonly kind: 'allocation'
  readonly id: string
  readonly userId: string
  readonly rateSlot: number | undefined
  /** Where its client was. */
  readonly path: ClientPath
  readonly transactionId: Uint8Array
  readonly lifetime: number
  readonly createdAt: Instant
  readonly handle: number
  readonly generation: number
  readonly relayed: readonly TransferredRelayed[]
  readonly bytesFromClient: number
  readonly bytesToClient: number
  readonly packetsFromClient: number
  readonly packetsToClient: number
}

export type Transferred = TransferredReservation | TransferredAllocation

/** The answer to a 'fetch': the thing itself, why it is not for who asks, or nothing where there is none (any more). */
export type FetchAnswer = Transferred | { readonly kind: 'refused'; readonly code: 400 | 441 } | undefined

/** How a request is dealt with that had something fetched: it is here now, it is nowhere, or is not the client's. */
export type FetchResult = 'here' | 'nowhere' | 400 | 441

/** The relay sockets' addresses. */
export function portsOf(item: Transferred): TransportAddress[] {
  return item.kind === 'reservation' ? [item.local] : item.relayed.map(({ local }) => local)
}

/** A request that waits for what it is about. */
export interface WaitingRequest {
  readonly socket: SocketId
  readonly source: TransportAddress
  /** A copy of the whole message. */
  readonly bytes: Uint8Array
}

/** Of a request, what is needed to let it wait. */
export interface FetchingRequest {
  readonly socket: SocketId
  readonly client: TransportAddress
  readonly message: Message
  readonly credential: Credential
}

/** What the methods know of transfers (see transfers.ts). */
export interface TransferDesk {
  readonly engine: number
  /** Deals with the request again: what it needs is here, or there is no such thing. */
  resume: (request: WaitingRequest, result: FetchResult, now: Instant) => void
  /** Asks `owner` for it; the request is answered when that has answered. */
  fetch(owner: number, key: TransferKey, request: FetchingRequest): Outcome
  /** The owner's answer. */
  fetched(id: number, answer: FetchAnswer, now: Instant): void
  /** The request that has come by that connection is not answered any more. */
  streamClosed(socket: SocketId): void
  /** Hands over what another engine asks for. */
  give(key: TransferKey, engine: number, now: Instant): FetchAnswer
  /** Whether the socket was one of something handed over. */
  bound(socket: SocketId, now: Instant): boolean
  /** As `bound`. Its port was taken by another program in the moment between: the thing is lost. */
  failed(socket: SocketId, now: Instant): boolean
}
