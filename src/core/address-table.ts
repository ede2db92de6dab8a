/**
 * A hash map from (scope, transport address) to a value, made for one look-up per packet: open addressing
 * over flat integer arrays, so a look-up makes no key, no string and no object, and stays flat with size.
 * The hash is seeded, because remote hosts choose the keys.
 */

import type { AddressWords } from './transport-address.ts'

const keyWords = 6
const initialCapacity = 16

export class AddressTable<Value> {
  readonly #seed: number
  #keys = new Int32Array(initialCapacity * keyWords)
  #values: (Value | undefined)[] = new Array(initialCapacity).fill(undefined)
  #mask = initialCapacity - 1
  #size = 0

  /** `seed` is any 32-bit number that remote hosts cannot know. */
  constructor(seed: number) {
    this.#seed = seed | 0
  }

  get size(): number {
    return this.#size
  }

  /** The value stored for the address within `scope` (a socket, an allocation: any 32-bit number). */
  get(scope: number, address: AddressWords): Value | undefined {
    return this.#values[this.#find(scope, address, address.port)]
  }

  /** As `get`, for a key of an IP address alone. */
  getIp(scope: number, address: AddressWords): Value | undefined {
    return this.#values[this.#find(scope, address, anyPort)]
  }

  set(scope: number, address: AddressWords, value: Value): void {
    this.#insert(scope, address, address.port, value)
  }

  setIp(scope: number, address: AddressWords, value: Value): void {
    this.#insert(scope, address, anyPort, value)
  }

  delete(scope: number, address: AddressWords): boolean {
    return this.#remove(this.#find(scope, address, address.port))
  }

  deleteIp(scope: number, address: AddressWords): boolean {
    return this.#remove(this.#find(scope, address, anyPort))
  }

  /** The slot that holds the key, or the empty slot where it would go. */
  #find(scope: number, address: AddressWords, port: number): number {
    const keys = this.#keys
    const { a, b, c, d } = address
    let slot = this.#hash(a, b, c, d, port, scope)
    while (this.#values[slot] !== undefined) {
      const at = slot * keyWords
      if (
        keys[at + 3] === d &&
        keys[at + 4] === port &&
        keys[at + 5] === scope &&
        keys[at + 2] === c &&
        keys[at + 1] === b &&
        keys[at] === a
      ) {
        return slot
      }
      slot = (slot + 1) & this.#mask
    }
    return slot
  }

  #hash(a: number, b: number, c: number, d: number, port: number, scope: number): number {
    let h = this.#seed ^ Math.imul(d, 0x9e3779b1)
    h = Math.imul(h ^ (h >>> 15) ^ port, 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13) ^ scope, 0xc2b2ae35)
    h = Math.imul(h ^ (h >>> 16) ^ a, 0x27d4eb2f)
    h = Math.imul(h ^ (h >>> 15) ^ b, 0x165667b1)
    h = Math.imul(h ^ (h >>> 13) ^ c, 0x9e3779b1)
    return (h ^ (h >>> 16)) & this.#mask
  }

  #insert(scope: number, address: AddressWords, port: number, value: Value): void {
    if (this.#size * 2 >= this.#values.length) this.#grow()
    const slot = this.#find(scope, address, port)
    if (this.#values[slot] === undefined) this.#size++
    const at = slot * keyWords
    this.#keys[at] = address.a
    this.#keys[at + 1] = address.b
    this.#keys[at + 2] = address.c
    this.#keys[at + 3] = address.d
    this.#keys[at + 4] = port
    this.#keys[at + 5] = scope
    this.#values[slot] = value
  }

  /** Deletion by shifting back what follows, so that no tombstones gather over the years. */
  #remove(slot: number): boolean {
    if (this.#values[slot] === undefined) return false
    const keys = this.#keys
    let hole = slot
    for (
      let next = (hole + 1) & this.#mask;
      this.#values[next] !== undefined;
      next = (next + 1) & this.#mask
    ) {
      const at = next * keyWords
      const home = this.#hash(
        keys[at]!,
        keys[at + 1]!,
        keys[at + 2]!,
        keys[at + 3]!,
        keys[at + 4]!,
        keys[at + 5]!,
      )
      if (((next - home) & this.#mask) >= ((next - hole) & this.#mask)) {
        keys.copyWithin(hole * keyWords, at, at + keyWords)
        this.#values[hole] = this.#values[next]
        hole = next
      }
    }
    this.#values[hole] = undefined
    this.#size--
    return true
  }

  #grow(): void {
    const { length } = this.#values
    const keys = this.#keys
    const values = this.#values
    this.#keys = new Int32Array(length * 2 * keyWords)
    this.#values = new Array(length * 2).fill(undefined)
    this.#mask = length * 2 - 1
    for (let slot = 0; slot < length; slot++) {
      const value = values[slot]
      if (value === undefined) continue
      const at = slot * keyWords
      const key = { a: keys[at]!, b: keys[at + 1]!, c: keys[at + 2]!, d: keys[at + 3]! }
      const port = keys[at + 4]!
      const scope = keys[at + 5]!
      const target = this.#find(scope, { ...key, port }, port)
      this.#keys.set(keys.subarray(at, at + keyWords), target * keyWords)
      this.#values[target] = value
    }
  }
}

/** Stands where a key has no port. */
const anyPort = -1
