/**
 * The floor under all pacing (RFC 8445 §14.2): agents that share a pacer together begin at most one check every
 * 5 ms. Each agent keeps its own Ta besides.
 */

import { type Instant, instant, later } from '../core/time.ts'

/** Limit: RFC 8445 §14.2, whatever Ta two agents agree on. */
export const minimumPacingMs = 5

export class Pacer {
  #freeAt: Instant = instant(Number.NEGATIVE_INFINITY)

  /** When the next check may begin. Only moves forward, so a sleeper that wakes too early sleeps again. */
  get freeAt(): Instant {
    return this.#freeAt
  }

  take(now: Instant): void {
    this.#freeAt = later(now, minimumPacingMs)
  }
}
