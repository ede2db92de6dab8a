/** Why a request has come to nothing, as a value (RFC 8489 §6.2, §6.3.4, §9). */

import { unreachable } from '../core/errors.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { errorCodeTable } from './error-codes.ts'
import type { Message } from './message.ts'

export type StunFailure =
  /** No response, however often it was sent. */
  | { readonly type: 'timed-out' }
  /** Responses came, none of which was made with the password. */
  | { readonly type: 'integrity-violated' }
  | Rejection
  /** A challenge from which somebody has removed the better algorithms (§9.2.1). */
  | { readonly type: 'bid-down' }
  /** The server offers no password algorithm that we know. */
  | { readonly type: 'no-shared-algorithm' }
  /** A response that does not say what it has to. `problem` is for people. */
  | { readonly type: 'bad-response'; readonly problem: string }
  /** The connection could not be made, or was lost. `reason` is the system's code. */
  | { readonly type: 'transport-failed'; readonly reason: string }

/** The server said no, with an error code. */
export interface Rejection {
  readonly type: 'rejected'
  readonly code: number
  /** The server's words; the standard phrase when it gave none. */
  readonly reason: string
  /** Of a 420: what the server did not know. */
  readonly unknownAttributes: readonly number[]
  /** Of a 300: where to go instead, and the name that the certificate there is for. */
  readonly alternateServers: readonly TransportAddress[]
  readonly alternateDomain: string | undefined
}

export function rejectionOf(response: Message): Rejection | undefined {
  const error = response.get('ERROR-CODE')
  if (error === undefined) return undefined
  return {
    type: 'rejected',
    code: error.code,
    reason: error.reason === '' ? standardReason(error.code) : error.reason,
    unknownAttributes: response.get('UNKNOWN-ATTRIBUTES') ?? [],
    alternateServers: response.all('ALTERNATE-SERVER'),
    alternateDomain: response.get('ALTERNATE-DOMAIN'),
  }
}

/** One line for people, such as `486 Allocation Quota Reached`. */
export function formatFailure(failure: StunFailure): string {
  switch (failure.type) {
    case 'timed-out':
      return 'no response'
    case 'integrity-violated':
      return 'the responses are not signed with the password'
    case 'rejected':
      return `${failure.code} ${printable(failure.reason)}`.trimEnd()
    case 'bid-down':
      return 'the password algorithms were removed from the challenge on the way'
    case 'no-shared-algorithm':
      return 'the server offers no password algorithm that is known here'
    case 'bad-response':
      return failure.problem
    case 'transport-failed':
      return failure.reason
    default:
      return unreachable(failure)
  }
}

function standardReason(code: number): string {
  return code in errorCodeTable ? errorCodeTable[code as keyof typeof errorCodeTable].reason : ''
}

/** The reason is the server's text: no control characters, and not more than a line of it. */
function printable(reason: string): string {
  return reason.replace(/\p{C}/gu, ' ').slice(0, 120)
}
