/** What a method may say to a request, and what is needed to send that. */

import type { SocketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { Attribute } from '../stun/attributes.ts'
import type { StunErrorCode } from '../stun/error-codes.ts'
import type { IntegrityKey } from '../stun/integrity.ts'
import type { MethodName } from '../stun/methods.ts'

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
