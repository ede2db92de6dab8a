/**
 * Nonces that need no memory (RFC 8489 §9.2.4, RFC 8656 §5): what the server offers, the time of issue, and an HMAC
 * over both and the client's transport address. Whoever shows one has received it there, so nothing is kept before
 * that; and nobody on the way can take back what was offered (RFC 8489 §9.2.1).
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import { base64Digits } from '../core/base64.ts'
import type { Instant } from '../core/time.ts'
import type { AddressWords } from '../core/transport-address.ts'
import { formatNonceCookie, type SecurityFeatures } from '../stun/nonce-cookie.ts'

/** Base64 digits: 36 bits hold the second of issue, 96 bits the HMAC. Short, for unauthenticated answers carry it. */
const timeDigits = 6
const macDigits = 16

export class NonceIssuer {
  readonly #key: Uint8Array
  readonly #lifetime: number
  readonly #cookie: string
  readonly #length: number

  /** `key` is 32 random bytes; `lifetime` is in seconds. */
  constructor(key: Uint8Array, lifetime: number, features: SecurityFeatures) {
    this.#key = key
    this.#lifetime = lifetime
    this.#cookie = formatNonceCookie(features)
    this.#length = this.#cookie.length + timeDigits + macDigits
  }

  /** A nonce for the client at `source`: 35 characters. */
  issue(source: AddressWords, now: Instant): string {
    return this.#sign(`${this.#cookie}${timeText(secondOf(now))}`, source)
  }

  /** Whether `nonce` was issued to `source` within the lifetime. Any bytes are allowed. */
  isValid(nonce: Uint8Array, source: AddressWords, now: Instant): boolean {
    if (nonce.length !== this.#length) return false
    const text = String.fromCharCode(...nonce)
    const expected = encoder.encode(this.#sign(text.slice(0, -macDigits), source))
    // Bytes beyond ASCII make the expected one longer, and timingSafeEqual throws for lengths that differ.
    if (expected.length !== nonce.length) return false
    return timingSafeEqual(nonce, expected) && this.isFresh(nonce, now)
  }

  /** Whether the time in a nonce that has been valid for this client before is still within the lifetime. */
  isFresh(nonce: Uint8Array, now: Instant): boolean {
    let issued = 0
    for (let i = 0; i < timeDigits; i++) {
      issued = issued * 64 + base64Digits.indexOf(String.fromCharCode(nonce[this.#cookie.length + i]!))
    }
    const ageSeconds = secondOf(now) - issued
    return ageSeconds >= 0 && ageSeconds < this.#lifetime
  }

  #sign(text: string, { a, b, c, d, port }: AddressWords): string {
    const mac = createHmac('sha256', this.#key).update(`${text} ${a} ${b} ${c} ${d} ${port}`).digest('base64')
    return text + mac.slice(0, macDigits)
  }
}

function secondOf(now: Instant): number {
  return Math.trunc(now / 1000)
}

function timeText(second: number): string {
  let text = ''
  for (let i = timeDigits - 1; i >= 0; i--) text += base64Digits[Math.trunc(second / 64 ** i) % 64]
  return text
}

const encoder = new TextEncoder()
