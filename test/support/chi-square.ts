/** Whether counts look as if they were drawn evenly. */

/**
 * Pearson's test against equal shares, with the Wilson-Hilferty approximation of the limit that even draws exceed once
 * in 10,000 runs. Use a fixed seed, so that the answer is always the same.
 */
export function chiSquare(counts: readonly number[]): 'even' | string {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length
  const statistic = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  const freedom = counts.length - 1
  const limit = freedom * (1 - 2 / (9 * freedom) + 3.719 * Math.sqrt(2 / (9 * freedom))) ** 3
  return statistic < limit
    ? 'even'
    : `uneven: chi-square ${statistic.toFixed(1)}, at most ${limit.toFixed(1)}`
}
