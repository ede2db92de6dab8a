/**
 * The long-term credential mechanism on the server's side, its steps in the order of RFC 8489 §9.2.4. Keeps no
 * state: the nonce proves itself. An unknown user costs the same HMAC and gets the same answer as a known one.
 */

import type { Instant } from '../core/time.ts'
import type { AddressWords } from '../core/transport-address.ts'
import { checkIntegrity } from '../stun/integrity.ts'
import type { Message } from '../stun/message.ts'
import type { CredentialStore } from './credentials.ts'
import type { NonceIssuer } from './nonce.ts'

export type Authentication =
  | { readonly type: 'authenticated'; readonly username: string; readonly key: Uint8Array }
  /** To be answered with REALM and a fresh NONCE. `key` is there when the password was right (438). */
  | { readonly type: 'challenged'; readonly code: 401 | 438; readonly key: Uint8Array | undefined }
  | { readonly type: 'refused'; readonly code: 400 }

const nobody = { username: '', key: new Uint8Array(16) }

export function authenticate(
  message: Message,
  source: AddressWords,
  credentials: CredentialStore,
  nonces: NonceIssuer,
  now: Instant,
): Authentication {
  // 1. No integrity: 401. MESSAGE-INTEGRITY-SHA256 alone is no integrity that we have offered.
  if (message.integrityOffset < 0) return { type: 'challenged', code: 401, key: undefined }
  // 2. Integrity without the attributes that it is checked by: 400.
  const username = message.raw('USERNAME')
  const nonce = message.raw('NONCE')
  if (username === undefined || nonce === undefined || !message.has('REALM')) {
    return { type: 'refused', code: 400 }
  }
  // 3. An unknown user, and 4. a wrong password: 401 both, after the same work.
  const known = credentials.find(username)
  const { key, username: name } = known ?? nobody
  const isRight = checkIntegrity(message, { algorithm: 'sha1', key })
  if (known === undefined || !isRight) return { type: 'challenged', code: 401, key: undefined }
  // 5. A nonce that is not valid (any more): 438.
  if (!nonces.isValid(nonce, source, now)) return { type: 'challenged', code: 438, key }
  return { type: 'authenticated', username: name, key }
}
