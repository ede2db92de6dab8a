/** Random bytes arrive from outside, so that a test can replay them and a server draws them from the system. */
export interface Random {
  /** A new array of `length` random bytes, owned by the caller. */
  bytes(length: number): Uint8Array
}

/** A uniformly distributed integer in [0, bound), for bounds up to 2^32. Rejection sampling: no modulo bias. */
export function randomBelow(random: Random, bound: number): number {
  const limit = 2 ** 32 - (2 ** 32 % bound)
  for (;;) {
    const value = randomUint32(random)
    if (value < limit) return value % bound
  }
}

/** A random unsigned 32-bit integer. */
export function randomUint32(random: Random): number {
  const bytes = random.bytes(4)
  return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0
}
