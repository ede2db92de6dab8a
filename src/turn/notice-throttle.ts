/**
 * What is told of what goes wrong without end: once a window for each /32 or /64, in memory of one size, so that
 * nobody can fill a log from outside.
 */

import type { IpWords } from '../core/ip.ts'
import type { Instant } from '../core/time.ts'
import { prefixSlot } from './prefix.ts'

/** Limit: one notice a minute and prefix. */
const windowMs = 60_000

export class NoticeThrottle {
  readonly #seed: number
  readonly #slots: number
  readonly #nextAt: Float64Array
  readonly #keptBack: Uint32Array

  /** `slots` is a power of two: so many notices a minute at most. One slot is one for everybody. */
  constructor(slots: number, seed: number) {
    this.#seed = seed | 0
    this.#slots = slots
    this.#nextAt = new Float64Array(slots).fill(Number.NEGATIVE_INFINITY)
    this.#keptBack = new Uint32Array(slots)
  }

  /** How many times it has happened since the last notice, this time included; undefined when it is not to be told now. */
  count(source: IpWords, now: Instant): number | undefined {
    const slot = prefixSlot(source, this.#seed, this.#slots)
    const times = this.#keptBack[slot]! + 1
    const isTold = now >= this.#nextAt[slot]!
    this.#keptBack[slot] = isTold ? 0 : times
    if (!isTold) return undefined
    this.#nextAt[slot] = now + windowMs
    return times
  }
}
