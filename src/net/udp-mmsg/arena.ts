/**
 * One piece of mapped memory that the kernel and JavaScript both work in. V8 moves and frees arrays of its own;
 * this stays where it is, so what is passed around are offsets into it, and the kernel gets their addresses.
 */

import { constants as c } from './abi.ts'
import type { Libc } from './libc.ts'

const lowWord = 0xffff_ffffn

export class Arena {
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly #libc: Libc
  readonly #base: bigint
  readonly #low: number
  /** The upper half of all addresses. */
  readonly high: number
  #used = 0

  /** Undefined when the system has no such memory to give; errno says why. */
  static map(libc: Libc, size: number): Arena | undefined {
    const mapped = mapWithin4GiB(libc, size)
    return mapped === undefined ? undefined : new Arena(libc, mapped, size)
  }

  private constructor(libc: Libc, base: bigint, size: number) {
    const buffer = libc.view(base, size)
    this.bytes = new Uint8Array(buffer)
    this.words = new Int32Array(buffer)
    this.#libc = libc
    this.#base = base
    this.#low = Number(base & lowWord)
    this.high = Number(base >> 32n) | 0
  }

  /** Takes `size` bytes for good, and gives their offset. They are zero. */
  take(size: number, alignment = 64): number {
    const offset = Math.ceil(this.#used / alignment) * alignment
    this.#used = offset + size
    if (this.#used > this.bytes.length) throw new RangeError(`the arena has no ${size} bytes left`)
    return offset
  }

  /** The address of an offset, for the arguments of calls: made once and kept, for it is an object. */
  pointer(offset: number): bigint {
    return this.#base + BigInt(offset)
  }

  /** The lower half of the address of an offset. */
  low(offset: number): number {
    return (this.#low + offset) | 0
  }

  /** Writes the address of `target` at `offset`, which is a multiple of 8. */
  setPointer(offset: number, target: number): void {
    this.words[offset >> 2] = this.#low + target
    this.words[(offset >> 2) + 1] = this.high
  }

  unmap(): void {
    this.#libc.munmap(this.#base, BigInt(this.bytes.length))
  }
}

/** All addresses shall have one upper half, so that writing one takes no bigint. */
function mapWithin4GiB(libc: Libc, size: number): bigint | undefined {
  const protection = c.PROT_READ | c.PROT_WRITE
  const flags = c.MAP_PRIVATE | c.MAP_ANONYMOUS | c.MAP_NORESERVE
  const unsuitable: bigint[] = []
  const give = (base: bigint | undefined) => {
    for (const other of unsuitable) libc.munmap(other, BigInt(size))
    return base
  }
  for (let attempt = 0; attempt < 3; attempt++) {
    const base = libc.mmap(0n, BigInt(size), protection, flags, -1, 0n)
    if (base === mapFailed) return give(undefined)
    if (base >> 32n === (base + BigInt(size - 1)) >> 32n) return give(base)
    unsuitable.push(base)
  }
  return give(undefined)
}

const mapFailed = 2n ** 64n - 1n
