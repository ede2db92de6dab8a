/** Keys of the two credential mechanisms (RFC 8489 §9.1.1, §9.2.2, §18.5.1). Names and passwords as bytes. */

import { createHash } from 'node:crypto'

const encoder = new TextEncoder()
const colon = encoder.encode(':')

/** The long-term key MD5(username ":" realm ":" password). */
export function longTermKey(username: string, realm: string, password: string): Uint8Array {
  return keyOf('md5', username, realm, password)
}

/** The long-term key of password algorithm SHA-256, over the same three parts. */
export function longTermKeySha256(username: string, realm: string, password: string): Uint8Array {
  return keyOf('sha256', username, realm, password)
}

/** The short-term key is the password itself. */
export function shortTermKey(password: string): Uint8Array {
  return encoder.encode(password)
}

function keyOf(algorithm: 'md5' | 'sha256', username: string, realm: string, password: string): Uint8Array {
  return createHash(algorithm)
    .update(encoder.encode(username))
    .update(colon)
    .update(encoder.encode(realm))
    .update(colon)
    .update(encoder.encode(password))
    .digest()
}
