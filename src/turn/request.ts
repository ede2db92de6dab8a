/** A request on its way to its answer: who asked, under which key, and what a method may say to it. */

import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { Attribute } from '../stun/attributes.ts'
import type { StunErrorCode } from '../stun/error-codes.ts'
import type { IntegrityKey } from '../stun/integrity.ts'
import type { Message } from '../stun/message.ts'
import type { MethodName } from '../stun/methods.ts'
import type { Allocation } from './allocation.ts'
import type { Allocations } from './allocations.ts'
import type { ServerCounters } from './counters.ts'
import type { Credential } from './credential.ts'
import type { TurnServerOptions } from './options.ts'
import type { PeerAccess } from './peer-access.ts'
import type { Relays } from './relay-address.ts'
import type { ClientTransport } from './socket-numbers.ts'

/** What is needed to answer, also later. */
export interface ReplyAddress {
  readonly socket: SocketId
  readonly client: TransportAddress
  readonly method: MethodName
  /** A copy: 12 bytes. */
  readonly transactionId: Uint8Array
  /** What the answer is signed with, for the request was authenticated; undefined if it was not. */
  readonly key: IntegrityKey | undefined
}

export interface TurnRequest extends ReplyAddress {
  readonly message: Message
  readonly username: string
  readonly credential: Credential
  /** Seconds: what an allocation may last for with this credential. */
  readonly longestLifetime: number
  readonly now: Instant
}

/** A request on a five-tuple that has an active allocation of the same user. */
export interface AllocationRequest extends TurnRequest {
  readonly allocation: Allocation
}

/** What the methods work on. */
export interface ServerState {
  /** The connections of clients that come in by TCP or TLS; every other socket is UDP. */
  readonly transports: Map<SocketId, ClientTransport>
  readonly options: TurnServerOptions
  readonly allocations: Allocations
  readonly relays: Relays
  readonly peers: PeerAccess
  readonly counters: ServerCounters
}

/** `later`: the answer follows when the world has told us something; `silence`: there is none. */
export type Outcome =
  | { readonly type: 'success'; readonly attributes: readonly Attribute[] }
  | { readonly type: 'rejected'; readonly code: StunErrorCode; readonly attributes: readonly Attribute[] }
  | { readonly type: 'later' }
  | { readonly type: 'silence' }

export function succeed(...attributes: Attribute[]): Outcome {
  return { type: 'success', attributes }
}

export function reject(code: StunErrorCode, ...attributes: Attribute[]): Outcome {
  return { type: 'rejected', code, attributes }
}
