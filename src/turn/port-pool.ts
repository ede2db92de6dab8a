/**
 * The relay ports of one address, as a bitmap: drawn at random over the whole range (RFC 8656 §7.2, RFC 6056),
 * and known at once to be used up.
 */

import { type Random, randomBelow } from '../core/random.ts'

/** Random draws before the scan: with half of the range taken all of them miss once in 65,536 times. */
const randomDraws = 16

/** `even` is what EVEN-PORT asks for, `pair` an even port and the next one with it (RFC 8656 §18.7). */
export type PortChoice = 'any' | 'even' | 'pair'

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

  get taken(): number {
    return this.#count - this.#free
  }

  /** Takes a random free port of that kind; undefined when there is none. Of a pair both are taken. */
  take(random: Random, choice: PortChoice = 'any'): number | undefined {
    if (this.#free === 0) return undefined
    for (let draw = 0; draw < randomDraws; draw++) {
      const index = randomBelow(random, this.#count)
      if (this.#suits(index, choice)) return this.#take(index, choice)
    }
    const start = randomBelow(random, this.#count)
    for (let step = 0; step < this.#count; step++) {
      const index = (start + step) % this.#count
      if (this.#suits(index, choice)) return this.#take(index, choice)
    }
    return undefined
  }

  /** Gives a taken port back. */
  release(port: number): void {
    const index = port - this.#min
    this.#taken[index >>> 5]! &= ~(1 << (index & 31))
    this.#free++
  }

  #suits(index: number, choice: PortChoice): boolean {
    if (!this.#isFree(index)) return false
    if (choice === 'any') return true
    const isEven = (this.#min + index) % 2 === 0
    return isEven && (choice === 'even' || (index + 1 < this.#count && this.#isFree(index + 1)))
  }

  #isFree(index: number): boolean {
    return (this.#taken[index >>> 5]! & (1 << (index & 31))) === 0
  }

  #take(index: number, choice: PortChoice): number {
    this.#mark(index)
    if (choice === 'pair') this.#mark(index + 1)
    return this.#min + index
  }

  #mark(index: number): void {
    this.#taken[index >>> 5]! |= 1 << (index & 31)
    this.#free--
  }
}
