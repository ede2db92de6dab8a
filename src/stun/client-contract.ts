/** What a StunClient is made with, what it is asked, and what it says. */

import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { Attribute } from './attributes.ts'
import type { ClientCredentials } from './client-authentication.ts'
import type { StunFailure } from './client-failure.ts'
import type { Message } from './message.ts'
import type { MethodName } from './methods.ts'
import type { TransactionTiming } from './transaction.ts'

export interface StunClientOptions {
  /** Where requests go that name no other destination. */
  readonly server: TransportAddress
  /** The transport retransmits by itself: TCP and TLS. */
  readonly isReliable: boolean
  readonly credentials?: ClientCredentials | undefined
  readonly timing?: Partial<TransactionTiming> | undefined
  /** Transactions at a time; further requests wait. 10 unless given (§6.2). */
  readonly maxOutstanding?: number | undefined
  /** The least time between two new transactions (Ta of a usage that paces). 0 unless given. */
  readonly pacingMs?: number | undefined
  /** Adds FINGERPRINT to every request. */
  readonly fingerprint?: boolean | undefined
}

export interface StunRequest<Context> {
  readonly method: MethodName
  readonly attributes: readonly Attribute[]
  /** Comes back with the answer. */
  readonly context: Context
  /** Another destination than the server. Without credentials: those are the server's. */
  readonly destination?: TransportAddress
  /** Whether an answer may come from elsewhere, as a CHANGE-REQUEST asks for (RFC 5780 §7.2). */
  readonly anySource?: boolean
}

/** Names a request, to cancel it. */
export type RequestId = number & { readonly [requestBrand]: true }
declare const requestBrand: unique symbol

export type StunClientOutput<Context> =
  | {
      readonly type: 'transmit'
      readonly destination: TransportAddress
      /** A whole message, owned by the reader. */
      readonly bytes: Uint8Array
    }
  | {
      readonly type: 'answered'
      readonly request: RequestId
      readonly context: Context
      /** A view over the bytes that were handed in: good until the next input. */
      readonly response: Message
      /** Good until the next input. */
      readonly source: AddressWords
      /** Milliseconds; undefined when the request was sent more than once (Karn). */
      readonly roundTripMs: number | undefined
    }
  | {
      readonly type: 'failed'
      readonly request: RequestId
      readonly context: Context
      readonly failure: StunFailure
    }
