import { describe, expect, it } from 'vitest'
import { type Random, randomBelow, randomUint32 } from '../../src/core/random.ts'
import { chiSquare } from '../support/chi-square.ts'
import { seededRandom } from '../support/random.ts'

function replay(...words: number[]): Random {
  return {
    bytes: (length) => {
      const word = words.shift()
      if (word === undefined || length !== 4) throw new Error('no such bytes')
      return Uint8Array.of(word >>> 24, word >>> 16, word >>> 8, word)
    },
  }
}

describe('a random number below a bound', () => {
  it('is spread evenly', () => {
    const random = seededRandom(11)
    for (const bound of [2, 10, 100, 1000]) {
      const counts = new Array<number>(bound).fill(0)
      for (let i = 0; i < bound * 200; i++) counts[randomBelow(random, bound)]!++
      expect(chiSquare(counts)).toBe('even')
    }
  })

  it('is drawn again where the remainder would favour small ones', () => {
    // 2^32 is 3 · 1,431,655,765 + 1: the topmost value would give 0 once too often.
    expect(randomBelow(replay(0xffffffff, 5), 3)).toBe(2)
    expect(randomBelow(replay(0xfffffffe), 3)).toBe(2)
  })

  it('may be any of 2^32, or the only one below 1', () => {
    expect(randomBelow(replay(0xffffffff), 2 ** 32)).toBe(0xffffffff)
    expect(randomBelow(replay(123), 1)).toBe(0)
  })
})

it('a random 32-bit integer is unsigned', () => {
  expect(randomUint32(replay(0xfedcba98))).toBe(0xfedcba98)
})
