/**
 * Somebody who may be served (RFC 8489 §9.2, RFC 7635 §7): a name, the keys that prove it, and for how long it is
 * good. Keeps keys, never a password (RFC 8656 §6).
 */

import type { EpochSeconds } from '../core/time.ts'

/** The password algorithms of RFC 8489 §18.5.1. */
export type KeyAlgorithm = 'MD5' | 'SHA-256'

/** `user`: configured. `time-limited`: made with a shared secret. `token`: a third party vouches. `anyone`: no authentication. */
export type CredentialKind = 'user' | 'time-limited' | 'token' | 'anyone'

export interface Validity {
  /** How many seconds the credential is good for from `now` on; 0 or less when it is not any more. */
  secondsLeft(now: EpochSeconds): number
  /** When that is asked: at Allocate, so that calls outlive their credential; at Refresh as well; at every request. */
  readonly asked: 'at-allocate' | 'at-refresh' | 'always'
  /** Whether an allocation may not be granted for longer than that. */
  readonly boundsLifetime: boolean
}

export interface CredentialOptions {
  readonly kind: CredentialKind
  /** As the client spells it: for logs, and for telling one owner of an allocation from another. */
  readonly username: string
  /** Whom allocations are counted against; the name unless given. */
  readonly userId?: string
  /** Makes a key; undefined where there is none of that algorithm. Called once for each algorithm that is used. */
  readonly derive: (algorithm: KeyAlgorithm) => Uint8Array | undefined
  /** Undefined for a credential that does not end by itself. */
  readonly validity?: Validity | undefined
}

/** What is known of a client already: the allocation on its five-tuple. */
export interface AuthenticatedClient {
  /** Spares the look-up, and is the only key of requests without a token to an allocation made with one. */
  readonly credential: Credential
  /** The nonce last found valid for this client's address: it need only be compared. Forgotten when the client moves. */
  verifiedNonce: Uint8Array | undefined
}

const encoder = new TextEncoder()

export class Credential {
  readonly kind: CredentialKind
  readonly username: string
  readonly userId: string
  readonly validity: Validity | undefined
  readonly #nameBytes: Uint8Array
  readonly #derive: CredentialOptions['derive']
  readonly #keys: { [Algorithm in KeyAlgorithm]?: Uint8Array | undefined } = {}

  constructor({ kind, username, userId, derive, validity }: CredentialOptions) {
    this.kind = kind
    this.username = username
    this.userId = userId ?? username
    this.validity = validity
    this.#nameBytes = encoder.encode(username)
    this.#derive = derive
  }

  /** The key of that algorithm, always in the same array; undefined where there is none. */
  key(algorithm: KeyAlgorithm): Uint8Array | undefined {
    this.#keys[algorithm] ??= this.#derive(algorithm)
    return this.#keys[algorithm]
  }

  isNamed(username: Uint8Array): boolean {
    const name = this.#nameBytes
    if (username.length !== name.length) return false
    for (let i = 0; i < name.length; i++) if (username[i] !== name[i]) return false
    return true
  }

  /**
   * Whether what `other` has made is this one's to use (RFC 8656 §5): the same name. Tokens name their key and no
   * user, and new ones are to refresh old allocations (RFC 7635 §9), so one stands for another.
   */
  isSameOwner(other: Pick<Credential, 'kind' | 'username'>): boolean {
    return this.kind === other.kind && (this.kind === 'token' || this.username === other.username)
  }
}

/** Who is served by a server without authentication. */
export const anyone = new Credential({ kind: 'anyone', username: '', derive: () => undefined })
