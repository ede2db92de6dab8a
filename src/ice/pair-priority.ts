/**
 * Pair priorities (RFC 8445 §6.1.2.3): 2^32·MIN(G,D) + 2·MAX(G,D) + (G>D?1:0). That is more than a double can hold,
 * so it is kept as two numbers; a BigInt is made only for a report.
 */

export interface PairPriority {
  /** MIN(G,D): the upper 32 bits. */
  readonly high: number
  /** 2·MAX(G,D) + (G>D?1:0): the lower 32 bits, for MAX is below 2^31. */
  readonly low: number
}

/** `controlling` and `controlled` are the priorities of the candidates that each side provided. */
export function pairPriority(controlling: number, controlled: number): PairPriority {
  return {
    high: Math.min(controlling, controlled),
    low: 2 * Math.max(controlling, controlled) + (controlling > controlled ? 1 : 0),
  }
}

/** Positive if `x` is to be preferred to `y`. */
export function comparePriority(x: PairPriority, y: PairPriority): number {
  return x.high - y.high || x.low - y.low
}

export function priorityAsBigInt({ high, low }: PairPriority): bigint {
  return (BigInt(high) << 32n) + BigInt(low)
}
