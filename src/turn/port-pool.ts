/**
 * The relay ports of one address: drawn at random over the whole range (RFC 8656 §7.2, RFC 6056), and known at once to
 * be used up. Several engines may draw from one pool, each in a thread of its own: a port is taken by one atomic step.
 */

import { type Random, randomBelow } from '../core/random.ts'

/** Random draws before the scan: with half of the range taken all of them miss once in 65,536 times. */
const randomDraws = 16

/** `even` is what EVEN-PORT asks for, `pair` an even port and the next one with it (RFC 8656 §18.7). */
export type PortChoice = 'any' | 'even' | 'pair'

/** What a pool is made of: all zero in the beginning, and in shared memory where several engines use it. */
export interface PortMemory {
  /** For each port who has it: 0 for nobody, or the engine's number with `isOpen` added when a socket is bound there. */
  readonly owners: Uint8Array
  /** One number: how many are taken. */
  readonly taken: Int32Array
}

const isOpen = 0x80

/** Limit: engines that may share a pool, and the highest number one may have. */
export const mostEngines = isOpen - 1

export class PortPool {
  readonly #min: number
  readonly #count: number
  readonly #memory: PortMemory
  readonly #me: number

  /** Ports `min` to `max`, both included. */
  constructor(min: number, max: number, memory = newPortMemory(min, max), me = 1) {
    this.#min = min
    this.#count = max - min + 1
    this.#memory = memory
    this.#me = me
  }

  get free(): number {
    return this.#count - Atomics.load(this.#memory.taken, 0)
  }

  /** How many are taken. */
  get taken(): number {
    return Atomics.load(this.#memory.taken, 0)
  }

  /** Takes a random free port of that kind; undefined when there is none. Of a pair both are taken. */
  take(random: Random, choice: PortChoice = 'any'): number | undefined {
    if (this.free <= 0) return undefined
    for (let draw = 0; draw < randomDraws; draw++) {
      const index = randomBelow(random, this.#count)
      if (this.#take(index, choice)) return this.#min + index
    }
    const start = randomBelow(random, this.#count)
    for (let step = 0; step < this.#count; step++) {
      const index = (start + step) % this.#count
      if (this.#take(index, choice)) return this.#min + index
    }
    return undefined
  }

  /** A socket of ours is bound there: other engines may send to it. */
  opened(port: number): void {
    Atomics.store(this.#memory.owners, port - this.#min, this.#me | isOpen)
  }

  /** Gives a taken port back. */
  release(port: number): void {
    Atomics.store(this.#memory.owners, port - this.#min, 0)
    Atomics.sub(this.#memory.taken, 0, 1)
  }

  /** The port stays taken, and is another engine's from now on. */
  handOver(port: number, engine: number): void {
    Atomics.store(this.#memory.owners, port - this.#min, engine)
  }

  /** Whether another engine has a socket there. */
  isOpenElsewhere(port: number): boolean {
    const index = port - this.#min
    if (index < 0 || index >= this.#count) return false
    const owner = Atomics.load(this.#memory.owners, index)
    return (owner & isOpen) !== 0 && owner !== (this.#me | isOpen)
  }

  #take(index: number, choice: PortChoice): boolean {
    const isEven = (this.#min + index) % 2 === 0
    if (choice !== 'any' && !isEven) return false
    if (choice !== 'pair') return this.#claim(index)
    if (index + 1 >= this.#count || !this.#claim(index)) return false
    if (this.#claim(index + 1)) return true
    this.release(this.#min + index)
    return false
  }

  #claim(index: number): boolean {
    if (Atomics.compareExchange(this.#memory.owners, index, 0, this.#me) !== 0) return false
    Atomics.add(this.#memory.taken, 0, 1)
    return true
  }
}

/** For an engine that has its ports to itself. */
function newPortMemory(min: number, max: number): PortMemory {
  return { owners: new Uint8Array(max - min + 1), taken: new Int32Array(1) }
}

/** Gives back all that an engine has which is no more. */
export function releaseAllPorts({ owners, taken }: PortMemory, engine: number): void {
  for (let index = 0; index < owners.length; index++) releasePortOf({ owners, taken }, index, engine)
}

/** Gives back one, by its place in the memory, if the engine has it. */
export function releasePortOf({ owners, taken }: PortMemory, index: number, engine: number): void {
  const owner = Atomics.load(owners, index)
  if ((owner & ~isOpen) !== engine) return
  if (Atomics.compareExchange(owners, index, owner, 0) === owner) Atomics.sub(taken, 0, 1)
}
