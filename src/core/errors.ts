/**
 * Errors by whose fault they are. What a remote host sends is never an exception: it is a value,
 * dropped and counted. TurnpikeError is for local misuse and for what the operator can mend.
 */

/** Every code has an entry in docs/errors.md; a test compares the two lists. */
export const errorCodes = [
  'address-invalid',
  'call-failed',
  'configuration-invalid',
  'encode-overflow',
  'listen-failed',
  'media-unavailable',
  'no-credentials',
  'relay-address-unavailable',
  'uri-invalid',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** A fault on our side of the wire. The message names the offending value, and never a secret. */
export class TurnpikeError extends Error {
  override readonly name = 'TurnpikeError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Ends a `switch` over a union: a case that was forgotten does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`)
}
