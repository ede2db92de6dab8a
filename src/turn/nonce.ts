/**
 * Nonces that need no memory (RFC 8489 §9.2.4, RFC 8656 §5): the time of issue and an HMAC over it and the
 * client's transport address. Whoever shows one has received it there, so nothing is kept before that.
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Instant } from '../core/time.ts'
import type { AddressWords } from '../core/transport-address.ts'

const timeDigits = 8
const macDigits = 24

export class NonceIssuer {
  readonly #key: Uint8Array
  readonly #lifetime: number

  /** `key` is 32 random bytes, the same on every shard; `lifetime` is in seconds. */
  constructor(key: Uint8Array, lifetime: number) {
    this.#key = key
    this.#lifetime = lifetime
  }

  /** A nonce for the client at `source`: 32 hexadecimal digits. */
  issue(source: AddressWords, now: Instant): string {
    return this.#sign((Math.trunc(now / 1000) >>> 0).toString(16).padStart(timeDigits, '0'), source)
  }

  /** Whether `nonce` was issued to `source` within the lifetime. Any bytes are allowed. */
  isValid(nonce: Uint8Array, source: AddressWords, now: Instant): boolean {
    if (nonce.length !== timeDigits + macDigits) return false
    const text = String.fromCharCode(...nonce)
    const time = text.slice(0, timeDigits)
    const expected = encoder.encode(this.#sign(time, source))
    if (!timingSafeEqual(nonce, expected)) return false
    const ageSeconds = (Math.trunc(now / 1000) >>> 0) - Number.parseInt(time, 16)
    return ageSeconds >= 0 && ageSeconds < this.#lifetime
  }

  #sign(time: string, source: AddressWords): string {
    const { a, b, c, d, port } = source
    const mac = createHmac('sha256', this.#key).update(`${time} ${a} ${b} ${c} ${d} ${port}`).digest('hex')
    return time + mac.slice(0, macDigits)
  }
}

const encoder = new TextEncoder()
