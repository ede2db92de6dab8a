/**
 * Keys of the two credential mechanisms (RFC 8489 §9.1.1, §9.2.2, §18.5.1) and USERHASH (§14.4). A user name is taken
 * as it stands on the wire; realm and password are put into the spelling of OpaqueString first.
 */

import { createHash } from 'node:crypto'
import { opaqueString } from './opaque-string.ts'

const encoder = new TextEncoder()
const colon = encoder.encode(':')

/** The long-term key MD5(username ":" realm ":" password): password algorithm MD5. 16 bytes. */
export function longTermKey(username: string, realm: string, password: string): Uint8Array {
  return digest('md5', [username, prepared(realm), prepared(password)])
}

/** The long-term key of password algorithm SHA-256, over the same three parts. 32 bytes. */
export function longTermKeySha256(username: string, realm: string, password: string): Uint8Array {
  return digest('sha256', [username, prepared(realm), prepared(password)])
}

/** The short-term key is the password itself. */
export function shortTermKey(password: string): Uint8Array {
  return encoder.encode(prepared(password))
}

/** USERHASH (RFC 8489 §14.4): stands for the name where the server wants it out of sight. 32 bytes. */
export function userHash(username: string, realm: string): Uint8Array {
  return digest('sha256', [prepared(username), prepared(realm)])
}

/** Interop: text that OpaqueString has no place for is used as it is, for browsers do nothing else with any. */
function prepared(text: string): string {
  return opaqueString(text) ?? text
}

/** A plain Uint8Array, whatever node:crypto gives. */
function digest(algorithm: 'md5' | 'sha256', parts: readonly string[]): Uint8Array {
  const hash = createHash(algorithm)
  parts.forEach((part, i) => {
    if (i > 0) hash.update(colon)
    hash.update(encoder.encode(part))
  })
  return new Uint8Array(hash.digest())
}
