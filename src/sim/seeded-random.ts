/** Random numbers that a seed determines (sfc32): fast, and not fit for secrets. */

import type { Random } from '../core/random.ts'

export class SeededRandom implements Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = (seed / 2 ** 32) | 0
    this.#c = 0x9e3779b9 | 0
    for (let i = 0; i < 12; i++) this.uint32()
  }

  /** A generator of its own, so that one part of a simulation does not shift the numbers of another. */
  fork(): SeededRandom {
    return new SeededRandom(this.uint32() + this.uint32() * 2 ** 32)
  }

  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    this.#c |= 0
    return sum >>> 0
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i += 4) {
      let word = this.uint32()
      for (let j = i; j < length && j < i + 4; j++) {
        bytes[j] = word & 255
        word >>>= 8
      }
    }
    return bytes
  }

  /** In [0, 1). */
  fraction(): number {
    return this.uint32() / 2 ** 32
  }

  /** An integer in [0, bound). The bias of the remainder is below 2^-16 for every bound used here. */
  below(bound: number): number {
    return this.uint32() % bound
  }

  /** True in `probability` of the cases. Takes no number when it is 0. */
  chance(probability: number): boolean {
    return probability > 0 && this.fraction() < probability
  }

  /** One of the values, each as likely. */
  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)]!
  }
}
