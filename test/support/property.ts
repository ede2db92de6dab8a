/** Property tests with a seed: the same inputs in every run, others with `PROPERTY_SEED=…`. */

import fc from 'fast-check'

const seed = Number(process.env.PROPERTY_SEED ?? 1)

/** Fails with the smallest counterexample and the seed that finds it again. */
export function always<Ts extends [unknown, ...unknown[]]>(
  property: fc.IPropertyWithHooks<Ts>,
  runs = 200,
): void {
  fc.assert(property, { seed, numRuns: runs })
}
