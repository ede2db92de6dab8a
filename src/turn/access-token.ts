/**
 * Access tokens of third-party authorization (RFC 7635 §4.1, §6.2, §7): what an authorization server has sealed for
 * this server with a key that both have, by AES-GCM. Deviation: AES-CBC with HMAC-SHA2, which the RFC leaves to
 * choice, is not read, and keys are configured, not fetched (§4.1.2).
 */

import { createDecipheriv } from 'node:crypto'
import type { EpochSeconds } from '../core/time.ts'
import { readUint16, readUint32 } from '../stun/bytes.ts'
import { Credential } from './credential.ts'
import { decodeUsername } from './username.ts'

export interface TokenKey {
  /** The name of the key, which clients send as their USERNAME. */
  readonly kid: string
  /** 16 bytes for A128GCM, 32 for A256GCM. */
  readonly key: Uint8Array
}

export interface AccessToken {
  /** The key of MESSAGE-INTEGRITY, as it is. */
  readonly macKey: Uint8Array
  /** When the token was made, with fractions. */
  readonly timestamp: EpochSeconds
  readonly lifetime: number
}

/** RFC 7635 §7: by how many seconds clocks may differ. */
const clockSkew = 5
/** RFC 5116 §5.1, §5.2: nonce and tag of AES-GCM. */
const gcmNonceBytes = 12
const gcmTagBytes = 16
/** HMAC-SHA1 takes 20 bytes, HMAC-SHA256 32; no token has a key longer than a SHA-512. */
const macKeyBytes = { min: 16, max: 64 } as const
/** Limit: a token as a client can send it, base64 included. */
const longestToken = 512

export class AccessTokens {
  readonly #keys: ReadonlyMap<string, Uint8Array>
  readonly #serverName: Uint8Array

  /** `serverName` is what THIRD-PARTY-AUTHORIZATION tells clients, and what tokens have to be sealed for. */
  constructor(serverName: string, keys: readonly TokenKey[]) {
    this.#serverName = new TextEncoder().encode(serverName)
    this.#keys = new Map(keys.map(({ kid, key }) => [kid, key]))
  }

  /**
   * The credential that the token is, whether in time or not; none for an unknown key, or a token that is no such.
   * Interop: coturn and its client sign with the first 16 bytes of a session key of 20. Who does is answered likewise.
   */
  open(username: Uint8Array, token: Uint8Array): readonly Credential[] {
    const kid = decodeUsername(username)
    const key = kid === undefined ? undefined : this.#keys.get(kid)
    if (kid === undefined || key === undefined) return []
    const opened = openToken(token, key, this.#serverName)
    if (opened === undefined) return []
    const { macKey } = opened
    const keys = macKey.length === 20 ? [macKey, macKey.subarray(0, 16)] : [macKey]
    return keys.map((sessionKey) => tokenCredential(kid, opened, sessionKey))
  }
}

/** Reads a token sealed for `serverName`; undefined for any that is not, whatever the bytes. */
export function openToken(
  bytes: Uint8Array,
  key: Uint8Array,
  serverName: Uint8Array,
): AccessToken | undefined {
  const token = bytes.length <= longestToken ? withoutBase64(bytes) : undefined
  if (token === undefined || token.length < 2 + gcmNonceBytes + gcmTagBytes) return undefined
  if (readUint16(token, 0) !== gcmNonceBytes) return undefined
  const sealed = 2 + gcmNonceBytes
  const tag = token.length - gcmTagBytes
  const decipher = createDecipheriv(
    key.length === 32 ? 'aes-256-gcm' : 'aes-128-gcm',
    key,
    token.subarray(2, sealed),
    { authTagLength: gcmTagBytes },
  )
  decipher.setAAD(serverName)
  decipher.setAuthTag(token.subarray(tag))
  try {
    const block = decipher.update(token.subarray(sealed, tag))
    decipher.final()
    return readBlock(new Uint8Array(block))
  } catch {
    return undefined // The tag is wrong: another key, another server's token, or a forged one.
  }
}

/** §6.2, figure 4: key_length, mac_key, timestamp, lifetime. */
function readBlock(block: Uint8Array): AccessToken | undefined {
  if (block.length < 2) return undefined
  const keyEnd = 2 + readUint16(block, 0)
  const keyLength = keyEnd - 2
  if (keyLength < macKeyBytes.min || keyLength > macKeyBytes.max || block.length !== keyEnd + 12)
    return undefined
  // 48 bits of seconds, and 16 bits of 1/64000 seconds.
  const seconds = readUint32(block, keyEnd) * 0x10000 + readUint16(block, keyEnd + 4)
  const timestamp = (seconds + readUint16(block, keyEnd + 6) / 64_000) as EpochSeconds
  return { macKey: block.slice(2, keyEnd), timestamp, lifetime: readUint32(block, keyEnd + 8) }
}

/** Interop: the RFC has clients given base64 text; coturn's client sends the bytes, others the text as they got it. */
function withoutBase64(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[0] === 0) return bytes
  const text = String.fromCharCode(...bytes)
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  } catch {
    return undefined // Not a length that base64 has.
  }
}

function tokenCredential(
  kid: string,
  { macKey, timestamp, lifetime }: AccessToken,
  sessionKey: Uint8Array,
): Credential {
  return new Credential({
    kind: 'token',
    username: kid,
    // Of users RFC 7635 says nothing: who shares a token is one.
    userId: `${kid}/${String.fromCharCode(...macKey)}`,
    derive: () => sessionKey,
    validity: {
      // §7 and §9: lifetime + Delta - abs(RDnew - TS).
      secondsLeft: (now) => lifetime + clockSkew - Math.abs(now - timestamp),
      asked: 'at-refresh',
      boundsLifetime: true,
    },
  })
}
