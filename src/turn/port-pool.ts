/**
 * The relay ports of one address, as a bitmap: drawn at random over the whole range (RFC 8656 §7.2, RFC 6056),
 * and known at once to be used up.
 */

import { type Random, randomBelow } from '../core/random.ts'

/** Random draws before the scan: with half of the range taken all of them miss once in 65,536 times. */
const randomDraws = 16

/** `even` is what EVEN-PORT asks for (RFC 8656 §18.7). */
export type PortParity = 'any' | 'even'

export class PortPool {
  readonly #min: number
  readonly #count: number
  readonly #taken: Uint32Array
  #free: number

  /** Ports `min` to `max`, both included. */
  constructor(min: number, max: number) {
    this.#min = min
    this.#count = max - min + 1
    this.#free = this.#count
    this.#taken = new Uint32Array((this.#count + 31) >>> 5)
  }

  get free(): number {
    return this.#free
  }

  /** Takes a random free port, or a random free even one; undefined when there is none. */
  take(random: Random, parity: PortParity = 'any'): number | undefined {
    if (this.#free === 0) return undefined
    for (let draw = 0; draw < randomDraws; draw++) {
      const index = randomBelow(random, this.#count)
      if (this.#suits(index, parity)) return this.#mark(index)
    }
    const start = randomBelow(random, this.#count)
    for (let step = 0; step < this.#count; step++) {
      const index = (start + step) % this.#count
      if (this.#suits(index, parity)) return this.#mark(index)
    }
    return undefined
  }

  /** Gives a taken port back. */
  release(port: number): void {
    const index = port - this.#min
    this.#taken[index >>> 5]! &= ~(1 << (index & 31))
    this.#free++
  }

  #suits(index: number, parity: PortParity): boolean {
    const isFree = (this.#taken[index >>> 5]! & (1 << (index & 31))) === 0
    return isFree && (parity === 'any' || (this.#min + index) % 2 === 0)
  }

  #mark(index: number): number {
    this.#taken[index >>> 5]! |= 1 << (index & 31)
    this.#free--
    return this.#min + index
  }
}
