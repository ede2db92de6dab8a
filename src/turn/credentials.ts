/** Who may allocate: user names to long-term keys (RFC 8489 §9.2). Names are bytes, as they are on the wire. */

import { longTermKey } from '../stun/credentials.ts'

export interface Credential {
  /** The name in its text form, for logs and quotas. */
  readonly username: string
  /** The key of MESSAGE-INTEGRITY: 16 bytes. */
  readonly key: Uint8Array
}

/** Where keys come from. An answer of undefined is "no such user". */
export interface CredentialStore {
  find(username: Uint8Array): Credential | undefined
}

export type StaticUser = { readonly name: string } & (
  | { readonly password: string }
  | { readonly key: Uint8Array }
)

/** A store of users that do not change. Of two with one name the last counts. */
export function staticCredentials(realm: string, users: readonly StaticUser[]): CredentialStore {
  const byName = new Map(
    users.map((user): [string, Credential] => [
      user.name,
      { username: user.name, key: 'key' in user ? user.key : longTermKey(user.name, realm, user.password) },
    ]),
  )
  return { find: (username) => byName.get(decodeName(username) ?? '') }
}

/** Undefined for what is not UTF-8: it is nobody's name, and must not become a look-alike by replacement. */
function decodeName(username: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(username)
  } catch {
    return undefined
  }
}

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
