/** The round-trip time to a server and the retransmission timeout that follows from it (RFC 8489 §6.2.1, RFC 6298 §2). */

import { type Instant, later } from '../core/time.ts'

/** RFC 8489 §6.2.1: an estimate that nothing has confirmed for ten minutes is discarded. */
const staleAfterMs = 600_000

export class RttEstimator {
  #smoothedMs: number | undefined
  #variationMs = 0
  #staleAt: Instant | undefined

  /** The smoothed round-trip time in milliseconds; undefined before the first sample and when it is stale. */
  smoothedMs(now: Instant): number | undefined {
    return this.#staleAt !== undefined && now < this.#staleAt ? this.#smoothedMs : undefined
  }

  /** `rttMs` must not come from a transaction that was retransmitted (Karn's algorithm). */
  sample(rttMs: number, now: Instant): void {
    const smoothed = this.smoothedMs(now)
    if (smoothed === undefined) {
      this.#smoothedMs = rttMs
      this.#variationMs = rttMs / 2
    } else {
      this.#variationMs = 0.75 * this.#variationMs + 0.25 * Math.abs(smoothed - rttMs)
      this.#smoothedMs = 0.875 * smoothed + 0.125 * rttMs
    }
    this.#staleAt = later(now, staleAfterMs)
  }

  /**
   * The timeout to start a transaction with. An estimate only raises it: on a short path a smaller one would save
   * nothing and give up on a server that pauses, since all of a transaction's patience is a multiple of it.
   */
  rtoMs(initialRtoMs: number, now: Instant): number {
    const smoothed = this.smoothedMs(now)
    if (smoothed === undefined) return initialRtoMs
    return Math.max(initialRtoMs, smoothed + Math.max(1, 4 * this.#variationMs))
  }
}
