/** Where the /32 or /64 that an address belongs to is counted, in tables of one size. */

import { type IpWords, isIPv4 } from '../core/ip.ts'

/**
 * A slot below `slots`, which is a power of two. Prefixes that share a slot are treated as one; the seed is any 32-bit
 * number that remote hosts cannot know, so that they cannot choose whom they share with.
 */
export function prefixSlot(source: IpWords, seed: number, slots: number): number {
  const high = isIPv4(source) ? source.d : source.a
  const low = isIPv4(source) ? 0 : source.b
  let hash = Math.imul(seed ^ high, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 15) ^ low, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) & (slots - 1)
}
