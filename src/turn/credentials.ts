/** Who may allocate: user names to credentials (RFC 8489 §9.2). Names are bytes, as they are on the wire. */

import { longTermKey, longTermKeySha256, userHash } from '../stun/credentials.ts'
import { opaqueString } from '../stun/opaque-string.ts'
import { Credential, type KeyAlgorithm } from './credential.ts'
import { type SharedSecretOptions, sharedSecretCredential } from './shared-secret.ts'
import { decodeUsername } from './username.ts'

/** Where credentials come from. An empty answer is "no such user". */
export interface CredentialStore {
  /** What every user has a key for, in the order of preference: what PASSWORD-ALGORITHMS offers. */
  readonly algorithms: readonly KeyAlgorithm[]
  /** Whether every user is found by USERHASH too, so that clients may be told to keep names to themselves. */
  readonly knowsUserHashes: boolean
  /**
   * More than one where a name has several passwords, as while a shared secret is being replaced. 'ask' where it takes
   * time to find out: the server asks by 'authorize', and is told by `authorized`.
   */
  find(username: Uint8Array): readonly Credential[] | 'ask'
  findByHash(hash: Uint8Array): readonly Credential[] | 'ask'
}

/** A password, or the MD5 key of one: then that user cannot be served by SHA-256 keys. */
export type StaticUser = { readonly name: string } & (
  | { readonly password: string }
  | { readonly key: Uint8Array }
)

export interface CredentialsOptions {
  readonly realm: string
  readonly users?: readonly StaticUser[]
  /** Secrets that names with a time in them are made passwords with. All are good; the newest goes first. */
  readonly secrets?: readonly Uint8Array[]
  /** Whether a time-limited credential ends for running allocations too. */
  readonly strictExpiry?: boolean
  /** Seconds that such a credential may be good for from now on, so that a leaked one ends some day; 0 is no limit. */
  readonly maxCredentialTtl?: number
}

/** A store of users that do not change. Of two with one name the last counts. */
export function staticCredentials(realm: string, users: readonly StaticUser[]): CredentialStore {
  return credentialStore({ realm, users })
}

/** Users and secrets at once. A configured user goes by the configured password only. */
export function credentialStore(options: CredentialsOptions): CredentialStore {
  const { realm, users = [], secrets = [] } = options
  const byName = new Map<string, readonly Credential[]>()
  const byHash = new Map<string, readonly Credential[]>()
  for (const user of users) {
    const found = [userCredential(user, realm)]
    byName.set(found[0]!.username, found)
    byHash.set(textOf(userHash(user.name, realm)), found)
  }
  const secretOptions: SharedSecretOptions = {
    realm,
    isStrict: options.strictExpiry === true,
    longestSeconds: options.maxCredentialTtl || Number.POSITIVE_INFINITY,
  }
  return {
    algorithms: users.some((user) => 'key' in user) ? ['MD5'] : ['SHA-256', 'MD5'],
    knowsUserHashes: secrets.length === 0,
    find: (username) => {
      const name = decodeUsername(username)
      if (name === undefined) return nobody
      const known = byName.get(name)
      if (known !== undefined || secrets.length === 0) return known ?? nobody
      return secrets.flatMap((secret) => sharedSecretCredential(name, secret, secretOptions) ?? [])
    },
    findByHash: (hash) => byHash.get(textOf(hash)) ?? nobody,
  }
}

const nobody: readonly Credential[] = []

/** What a user is known by who has a password, or the MD5 key of one, in that realm. */
export function userCredential(user: StaticUser, realm: string): Credential {
  const username = opaqueString(user.name) ?? user.name
  const keys: Record<KeyAlgorithm, Uint8Array | undefined> =
    'key' in user
      ? { MD5: user.key, 'SHA-256': undefined }
      : {
          MD5: longTermKey(username, realm, user.password),
          'SHA-256': longTermKeySha256(username, realm, user.password),
        }
  return new Credential({ kind: 'user', username, derive: (algorithm) => keys[algorithm] })
}

/** One character a byte: a key for a Map. */
function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}
