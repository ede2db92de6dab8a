import { expect, it } from 'vitest'
import { fuzz } from '../support/fuzz.ts'

// `npm run fuzz` does a million, and more.
it.each([1, 2, 3, 4, 5])(
  '10,000 damaged packets, seed %i: nobody is answered who may not be, and all others are served',
  (seed) => {
    const { answers, routes, allocations } = fuzz(10_000, seed)
    expect(answers).toBeGreaterThan(500)
    expect(routes).toBeGreaterThan(100)
    expect(allocations).toBeGreaterThan(20)
  },
)
