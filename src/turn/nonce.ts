/**
 * Nonces that need no memory (RFC 8489 §9.2.4, RFC 8656 §5): what the server offers, the time of issue, and an HMAC
 * over both and the client's transport address. Whoever shows one has received it there, so nothing is kept before
 * that; and nobody on the way can take back what was offered (RFC 8489 §9.2.1).
 */

import { timingSafeEqual } from 'node:crypto'
import { base64Digits } from '../core/base64.ts'
import type { Instant } from '../core/time.ts'
import type { AddressWords } from '../core/transport-address.ts'
import { writeUint16, writeUint32 } from '../stun/bytes.ts'
import { hmacSha1 } from '../stun/hmac-sha1.ts'
import { formatNonceCookie, type SecurityFeatures } from '../stun/nonce-cookie.ts'

/** Base64 digits: 36 bits hold the second of issue, 96 bits the HMAC. Short, for unauthenticated answers carry it. */
const timeDigits = 6
const macDigits = 16

/** What is signed of the client: four words and a port. */
const addressBytes = 18

const encoder = new TextEncoder()
const digits = Uint8Array.from(base64Digits, (digit) => digit.charCodeAt(0))

export class NonceIssuer {
  readonly #key: Uint8Array
  readonly #lifetime: number
  readonly #cookieLength: number
  /** What is signed: cookie and time as they stand in the nonce, then address and port. Written over each time. */
  readonly #signed: Uint8Array
  readonly #nonce: Uint8Array

  /** `key` is 32 random bytes; `lifetime` is in seconds. */
  constructor(key: Uint8Array, lifetime: number, features: SecurityFeatures) {
    const cookie = encoder.encode(formatNonceCookie(features))
    this.#key = key
    this.#lifetime = lifetime
    this.#cookieLength = cookie.length
    this.#signed = new Uint8Array(cookie.length + timeDigits + addressBytes)
    this.#nonce = new Uint8Array(cookie.length + timeDigits + macDigits)
    this.#signed.set(cookie)
  }

  /** A nonce for the client at `source`: 35 characters. */
  issue(source: AddressWords, now: Instant): string {
    this.#writeTime(secondOf(now))
    return String.fromCharCode(...this.#sign(source))
  }

  /** Whether `nonce` was issued to `source` within the lifetime. Any bytes are allowed. */
  isValid(nonce: Uint8Array, source: AddressWords, now: Instant): boolean {
    if (nonce.length !== this.#nonce.length) return false
    for (let i = 0; i < timeDigits; i++) {
      const at = this.#cookieLength + i
      this.#signed[at] = nonce[at]!
    }
    return timingSafeEqual(nonce, this.#sign(source)) && this.isFresh(nonce, now)
  }

  /** Whether the time in a nonce that has been valid for this client before is still within the lifetime. */
  isFresh(nonce: Uint8Array, now: Instant): boolean {
    let issued = 0
    for (let i = 0; i < timeDigits; i++) {
      issued = issued * 64 + digits.indexOf(nonce[this.#cookieLength + i]!)
    }
    const ageSeconds = secondOf(now) - issued
    return ageSeconds >= 0 && ageSeconds < this.#lifetime
  }

  #writeTime(second: number): void {
    let left = second
    for (let i = timeDigits - 1; i >= 0; i--) {
      this.#signed[this.#cookieLength + i] = digits[left % 64]!
      left = Math.trunc(left / 64)
    }
  }

  /** The nonce whose cookie and time stand in `#signed`, good until the next. */
  #sign({ a, b, c, d, port }: AddressWords): Uint8Array {
    const nonce = this.#nonce
    const address = this.#cookieLength + timeDigits
    for (let i = 0; i < address; i++) nonce[i] = this.#signed[i]!
    writeUint32(this.#signed, address, a)
    writeUint32(this.#signed, address + 4, b)
    writeUint32(this.#signed, address + 8, c)
    writeUint32(this.#signed, address + 12, d)
    writeUint16(this.#signed, address + 16, port)
    const mac = hmacSha1(this.#key, this.#signed)
    for (let i = 0; i < macDigits; i++) {
      const bit = i * 6
      const pair = (mac[bit >> 3]! << 8) | mac[(bit >> 3) + 1]!
      nonce[address + i] = digits[(pair >> (10 - (bit & 7))) & 63]!
    }
    return nonce
  }
}

function secondOf(now: Instant): number {
  return Math.trunc(now / 1000)
}
