/**
 * Time-limited credentials made with a secret that this server shares with a web service (the "TURN REST API",
 * draft-uberti-behave-turn-rest): the name says until when, the password is base64(HMAC-SHA1(secret, name)).
 */

import { createHmac } from 'node:crypto'
import type { EpochSeconds } from '../core/time.ts'
import { longTermKey, longTermKeySha256 } from '../stun/credentials.ts'
import { Credential } from './credential.ts'

export interface SharedSecretOptions {
  readonly realm: string
  /** Whether the time is looked at for every request, and not for Allocate only. */
  readonly isStrict: boolean
  /** Seconds: a name that is good for longer than that is not what the web service has made, and is refused. */
  readonly longestSeconds: number
}

export interface TimeLimitedName {
  readonly expiresAt: EpochSeconds
  /** Who it is without the time: what quotas count by, however often somebody gets a new name. */
  readonly userId: string
}

/** The credential of that name; undefined if there is no time in it, so that the secret has made none. */
export function sharedSecretCredential(
  username: string,
  secret: Uint8Array,
  { realm, isStrict, longestSeconds }: SharedSecretOptions,
): Credential | undefined {
  const name = parseTimeLimitedName(username)
  if (name === undefined) return undefined
  return new Credential({
    kind: 'time-limited',
    username,
    userId: name.userId,
    derive: (algorithm) => {
      const password = sharedSecretPassword(username, secret)
      return algorithm === 'MD5'
        ? longTermKey(username, realm, password)
        : longTermKeySha256(username, realm, password)
    },
    validity: {
      secondsLeft: (now) => {
        const left = name.expiresAt - now
        return left > longestSeconds ? 0 : left
      },
      asked: isStrict ? 'always' : 'at-allocate',
      boundsLifetime: false,
    },
  })
}

export interface MintedCredentials {
  readonly username: string
  readonly password: string
}

/** A name that is good until `expiresAt`, and its password. The user's id may be left out. */
export function mintCredentials(
  secret: string | Uint8Array,
  userId: string | undefined,
  expiresAt: number,
): MintedCredentials {
  const username = userId === undefined || userId === '' ? `${expiresAt}` : `${expiresAt}:${userId}`
  return { username, password: sharedSecretPassword(username, secret) }
}

/** The password that the web service hands out with that name. */
export function sharedSecretPassword(username: string, secret: string | Uint8Array): string {
  return createHmac('sha1', secret).update(username, 'utf8').digest('base64')
}

/**
 * `1700000000:alice`, where alice may have colons of her own; `1700000000` alone.
 * Interop: `alice:1700000000`, which coturn reads too. Up to 15 digits, so that milliseconds, a common mistake, are a
 * time far away and no surprise; fractions and signs are not digits.
 */
export function parseTimeLimitedName(username: string): TimeLimitedName | undefined {
  const match = /^(?:(\d{1,15})(?::(.*))?|([^:]*):(\d{1,15}))$/su.exec(username)
  if (match === null) return undefined
  const [, first, behind, before, last] = match
  return { expiresAt: Number(first ?? last) as EpochSeconds, userId: behind || before || username }
}
