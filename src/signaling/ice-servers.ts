/**
 * The `iceServers` of one peer, with TURN REST credentials of its own: the username is the time they expire and the
 * peer's name, the password an HMAC-SHA1 over it with the secret that the TURN server shares.
 */

import type { EpochSeconds } from '../core/time.ts'
import { sharedSecretPassword } from '../turn/shared-secret.ts'
import type { IceServer } from './protocol.ts'

export interface RestCredentials {
  readonly username: string
  readonly credential: string
}

/** Credentials for `user` that are good until `expiry`. */
export function mintCredentials(
  secret: string | Uint8Array,
  user: string,
  expiry: EpochSeconds,
): RestCredentials {
  const username = user === '' ? `${expiry}` : `${expiry}:${user}`
  return { username, credential: sharedSecretPassword(username, secret) }
}

/** `urls` may mix `stun:` and `turn:`; only the latter are given credentials. Empty when there are no URLs. */
export function iceServersOf(urls: readonly string[], credentials: RestCredentials | undefined): IceServer[] {
  const stun = urls.filter((url) => /^stuns?:/.test(url))
  const turn = urls.filter((url) => /^turns?:/.test(url))
  return [
    ...(stun.length > 0 ? [{ urls: stun }] : []),
    ...(turn.length > 0 && credentials !== undefined ? [{ urls: turn, ...credentials }] : []),
  ]
}
