/**
 * How many answers a source may draw from us before it has proved that it receives them: a limit per /32 or
 * /64, in memory of one size. Hosts that share a slot share its budget; a flood of addresses frees nothing.
 */

import type { IpWords } from '../core/ip.ts'
import type { Instant } from '../core/time.ts'
import { prefixSlot } from './prefix.ts'
import { prefixBudgets } from './shared-state.ts'

/** Limit: what a prefix may draw at once, in seconds of its rate. A page that opens many calls is one burst. */
const burstSeconds = 2

export class PrefixLimiter {
  readonly #seed: number
  readonly #intervalMs: number
  /** For each slot the time at which all it has drawn is paid for (the generic cell rate algorithm). */
  readonly #paidUntil: Float64Array

  /** `rate` is in answers per second; 0 is no limit. `budgets` is memory that other limiters use as well. */
  constructor(rate: number, seed: number, budgets?: Float64Array) {
    this.#seed = seed | 0
    this.#intervalMs = rate > 0 ? 1000 / rate : 0
    this.#paidUntil = budgets ?? new Float64Array(rate > 0 ? prefixBudgets : 0)
  }

  /** Whether one more answer may go to the source; if so, it is counted. */
  admit(source: IpWords, now: Instant): boolean {
    if (this.#intervalMs === 0) return true
    const slot = prefixSlot(source, this.#seed, prefixBudgets)
    const paidUntil = Math.max(this.#paidUntil[slot]!, now)
    if (paidUntil - now > burstSeconds * 1000) return false
    this.#paidUntil[slot] = paidUntil + this.#intervalMs
    return true
  }
}
