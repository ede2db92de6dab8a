/** Seeded random bytes (mulberry32), so that a failing run can be replayed from the seed it prints. */

import type { Random } from '../../src/core/random.ts'

export function seededRandom(seed: number): Random & { below(bound: number): number } {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() & 255),
    below: (bound) => next() % bound,
  }
}
