/** Who is served: configured users, shared secrets, keys of access tokens, or everybody. */

import { TurnpikeError } from '../core/errors.ts'
import type { TokenKey } from '../turn/access-token.ts'
import { type CredentialStore, credentialStore, type StaticUser } from '../turn/credentials.ts'

export interface CredentialsConfig {
  readonly realm: string
  readonly users: readonly StaticUser[]
  /** Of the TURN REST API; all are good, the first is the newest. */
  readonly secrets: readonly Uint8Array[]
  /** Whether credentials made with a secret end for running allocations too. */
  readonly strictExpiry: boolean
  /** Seconds that they may be good for at most; 0 is no limit. */
  readonly maxCredentialTtl: number
  /** Of third-party authorization. */
  readonly tokenKeys: readonly TokenKey[]
  /** What access tokens have to be made for; the realm unless given. */
  readonly serverName: string | undefined
  /** An open relay, by the operator's own word. */
  readonly noAuth: boolean
}

export const defaultCredentialsConfig: CredentialsConfig = {
  realm: 'turnpike',
  users: [],
  secrets: [],
  strictExpiry: false,
  maxCredentialTtl: 0,
  tokenKeys: [],
  serverName: undefined,
  noAuth: false,
}

/** Throws `no-credentials` or `configuration-invalid`. */
export function checkCredentials(config: CredentialsConfig): void {
  const { users, secrets, tokenKeys, noAuth } = config
  const isOpen = users.length === 0 && secrets.length === 0 && tokenKeys.length === 0
  if (isOpen && !noAuth) {
    throw new TurnpikeError(
      'no-credentials',
      'a TURN server without users relays for everybody: give --user name:password, --secret or --oauth-key, or --no-auth if that is what you want',
    )
  }
  if (!isOpen && noAuth) {
    throw new TurnpikeError(
      'configuration-invalid',
      '--no-auth excludes --user, --secret and --oauth-key: leave one out',
    )
  }
  const aboutSecrets = config.strictExpiry
    ? '--strict-expiry'
    : config.maxCredentialTtl > 0
      ? '--max-credential-ttl'
      : undefined
  if (aboutSecrets !== undefined && secrets.length === 0) {
    throw new TurnpikeError(
      'configuration-invalid',
      `${aboutSecrets} is about credentials made with a --secret, and there is none`,
    )
  }
}

/** Undefined where no name is looked up: without authentication, or with access tokens only. */
export function credentialsOf(config: CredentialsConfig): CredentialStore | undefined {
  if (config.users.length === 0 && config.secrets.length === 0) return undefined
  return credentialStore(config)
}
