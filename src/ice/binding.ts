/** The messages of connectivity checks (RFC 8445 §7.1, §7.2.2, §16; RFC 8489 §9.1 short-term credentials). */

import type { AddressWords } from '../core/transport-address.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { type Attribute, attributeName, isComprehensionRequired } from '../stun/attributes.ts'
import { readUint16 } from '../stun/bytes.ts'
import { encodeMessage } from '../stun/encode.ts'
import { errorCodeTable, type StunErrorCode } from '../stun/error-codes.ts'
import type { IntegrityKey } from '../stun/integrity.ts'
import type { Message } from '../stun/message.ts'
import type { IceRole } from './role.ts'

export interface CheckRequest {
  readonly transactionId: Uint8Array
  /** The peer's fragment, a colon, ours. */
  readonly username: string
  readonly priority: number
  readonly role: IceRole
  readonly tiebreaker: bigint
  readonly useCandidate: boolean
  /** Sent only where both sides know renomination. */
  readonly nomination: number | undefined
}

export function encodeCheck(request: CheckRequest, key: IntegrityKey): Uint8Array {
  const attributes: Attribute[] = [
    ['USERNAME', request.username],
    ['PRIORITY', request.priority],
    [request.role === 'controlling' ? 'ICE-CONTROLLING' : 'ICE-CONTROLLED', request.tiebreaker],
  ]
  if (request.useCandidate) attributes.push(['USE-CANDIDATE', true])
  if (request.nomination !== undefined) attributes.push(['NOMINATION', request.nomination])
  return encodeMessage(
    { class: 'request', method: 'Binding', transactionId: request.transactionId, attributes },
    { integrity: [key], fingerprint: true },
  )
}

export function encodeSuccess(request: Message, source: AddressWords, key: IntegrityKey): Uint8Array {
  return encodeMessage(
    {
      class: 'success',
      method: 'Binding',
      transactionId: request.transactionId,
      attributes: [['XOR-MAPPED-ADDRESS', TransportAddress.from(source)]],
    },
    { integrity: [key], fingerprint: true },
  )
}

/** Signed with the key that the request was authenticated with; without one when it was not. */
export function encodeError(
  request: Message,
  code: StunErrorCode,
  key: IntegrityKey | undefined,
  more: readonly Attribute[] = [],
): Uint8Array {
  return encodeMessage(
    {
      class: 'error',
      method: 'Binding',
      transactionId: request.transactionId,
      attributes: [['ERROR-CODE', { code, reason: errorCodeTable[code].reason }], ...more],
    },
    { integrity: key === undefined ? [] : [key], fingerprint: true },
  )
}

/** Keeps NAT bindings alive where there are no consent checks (RFC 8445 §11): no answer, nothing in it. */
export function encodeKeepalive(transactionId: Uint8Array): Uint8Array {
  return encodeMessage(
    { class: 'indication', method: 'Binding', transactionId, attributes: [] },
    { fingerprint: true },
  )
}

/** Comprehension-required attributes that a Binding request may carry. */
const understood = new Set([
  'USERNAME',
  'MESSAGE-INTEGRITY',
  'MESSAGE-INTEGRITY-SHA256',
  'PRIORITY',
  'USE-CANDIDATE',
])

export function unknownCheckAttributes(request: Message): number[] {
  return request
    .types()
    .filter((type) => isComprehensionRequired(type) && !understood.has(attributeName(type) ?? ''))
}

/** The two halves of a USERNAME that we receive: ours first. */
export interface Ufrags {
  readonly local: string
  readonly remote: string
}

/** Undefined if there is no USERNAME, or no colon in it. */
export function ufragsOf(request: Message): Ufrags | undefined {
  const username = request.get('USERNAME')
  const colon = username?.indexOf(':') ?? -1
  if (username === undefined || colon < 0) return undefined
  return { local: username.slice(0, colon), remote: username.slice(colon + 1) }
}

/** 12 bytes as a key of a Map: six characters of 16 bits. */
export function transactionKey(id: Uint8Array): string {
  return String.fromCharCode(
    readUint16(id, 0),
    readUint16(id, 2),
    readUint16(id, 4),
    readUint16(id, 6),
    readUint16(id, 8),
    readUint16(id, 10),
  )
}
