/**
 * Delays as a histogram of one size, however many there are: 32 steps to each doubling, so that a percentile is at most
 * 3 % from what it was.
 */

const stepsPerDoubling = 32
const shortestMs = 0.001
/** Up to an hour; the last one is of all that is longer. */
const buckets = stepsPerDoubling * 32

export interface LatencySummary {
  /** Milliseconds. */
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly longest: number
}

export class LatencyHistogram {
  readonly #counts = new Uint32Array(buckets)
  #total = 0
  #longest = 0

  add(milliseconds: number): void {
    this.#total++
    if (milliseconds > this.#longest) this.#longest = milliseconds
    const bucket =
      milliseconds <= shortestMs ? 0 : Math.floor(Math.log2(milliseconds / shortestMs) * stepsPerDoubling)
    this.#counts[Math.min(bucket, buckets - 1)]!++
  }

  /** undefined while there is nothing in it. */
  summary(): LatencySummary | undefined {
    if (this.#total === 0) return undefined
    return {
      p50: this.#percentile(0.5),
      p90: this.#percentile(0.9),
      p99: this.#percentile(0.99),
      p999: this.#percentile(0.999),
      longest: this.#longest,
    }
  }

  #percentile(share: number): number {
    const wanted = Math.ceil(this.#total * share)
    let seen = 0
    for (let bucket = 0; bucket < buckets - 1; bucket++) {
      seen += this.#counts[bucket]!
      if (seen >= wanted) return Math.min(shortestMs * 2 ** ((bucket + 1) / stepsPerDoubling), this.#longest)
    }
    return this.#longest
  }
}
