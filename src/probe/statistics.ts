/** What a row of round trips comes to. Milliseconds, to the hundredth. */

export interface RoundTrips {
  readonly sent: number
  readonly received: number
  /** A fraction of those that were sent; null while none was. */
  readonly loss: number | null
  readonly minMs: number | null
  readonly avgMs: number | null
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly maxMs: number | null
  /** RFC 3550 §6.4.1, of round trips in the order in which they were sent; null below two. */
  readonly jitterMs: number | null
}

/** `roundTripsMs`: of those that came back, in the order in which they were sent. */
export function summarize(roundTripsMs: readonly number[], sent: number): RoundTrips {
  const received = roundTripsMs.length
  const sorted = [...roundTripsMs].sort((x, y) => x - y)
  const sum = sorted.reduce((total, one) => total + one, 0)
  return {
    sent,
    received,
    loss: sent === 0 ? null : Math.round((1 - received / sent) * 10_000) / 10_000,
    minMs: hundredths(sorted[0]),
    avgMs: received === 0 ? null : hundredths(sum / received),
    p50Ms: hundredths(quantile(sorted, 0.5)),
    p95Ms: hundredths(quantile(sorted, 0.95)),
    maxMs: hundredths(sorted.at(-1)),
    jitterMs: jitterOf(roundTripsMs),
  }
}

/** The smallest value that so many of them do not exceed. */
export function quantile(sorted: readonly number[], fraction: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)]
}

function jitterOf(roundTripsMs: readonly number[]): number | null {
  if (roundTripsMs.length < 2) return null
  let jitter = 0
  for (let i = 1; i < roundTripsMs.length; i++) {
    jitter += (Math.abs(roundTripsMs[i]! - roundTripsMs[i - 1]!) - jitter) / 16
  }
  return hundredths(jitter)
}

function hundredths(value: number): number
function hundredths(value: number | undefined): number | null
function hundredths(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 100) / 100
}
