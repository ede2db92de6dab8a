/** When a TCP connection sends again what nobody has acknowledged, and when it gives up: RFC 6298. */

import { type Instant, instant, later } from '../core/time.ts'

const initialMs = 1000
const minimumMs = 200
/** Limit: after that long without an acknowledgement the connection is given up. */
const giveUpMs = 60_000

export class RetransmissionTimeout {
  #smoothedRttMs = 0
  #baseMs = initialMs
  #milliseconds = initialMs
  #waitingSince: Instant | undefined

  get milliseconds(): number {
    return this.#milliseconds
  }

  /** A segment that was sent once was acknowledged that long after. */
  measure(rttMs: number): void {
    this.#smoothedRttMs = this.#smoothedRttMs === 0 ? rttMs : this.#smoothedRttMs * 0.875 + rttMs * 0.125
    this.#baseMs = Math.max(this.#smoothedRttMs * 2, this.#smoothedRttMs + minimumMs)
  }

  /** Something is sent, and waited for. */
  handleSent(now: Instant): void {
    this.#waitingSince ??= now
  }

  /** There is progress: the time to wait no longer doubles (§5.7). */
  handleProgress(now: Instant, isWaiting: boolean): void {
    this.#milliseconds = this.#baseMs
    this.#waitingSince = isWaiting ? now : undefined
  }

  /** The time is over; the next one is twice as long (§5.5). */
  handleExpiry(now: Instant): 'again' | 'give up' {
    this.#waitingSince ??= instant(now - this.#milliseconds)
    if (now >= later(this.#waitingSince, giveUpMs)) return 'give up'
    this.#milliseconds *= 2
    return 'again'
  }
}
