/** `struct sockaddr_in` and `sockaddr_in6` in the arena, from and to the five words of the cores. */

import { isIPv4, mappedPrefix } from '../../core/ip.ts'
import type { AddressWords, MutableAddressWords } from '../../core/transport-address.ts'
import { constants as c, sockaddrIn, sockaddrIn6 } from './abi.ts'

/** What one address may take. */
export const socketAddressBytes = 32

/** Reads the structure at a word of the arena into `target`; false for another family. */
export function readSocketAddress(words: Int32Array, at: number, target: MutableAddressWords): boolean {
  const head = words[at]!
  const family = head & 0xffff
  target.port = swap16(head >>> 16)
  if (family === c.AF_INET) {
    target.a = 0
    target.b = 0
    target.c = mappedPrefix
    target.d = swap32(words[at + 1]!)
    return true
  }
  target.a = swap32(words[at + 2]!)
  target.b = swap32(words[at + 3]!)
  target.c = swap32(words[at + 4]!)
  target.d = swap32(words[at + 5]!)
  return family === c.AF_INET6
}

/** Writes the structure at a word of the arena; what it takes in bytes. */
export function writeSocketAddress(words: Int32Array, at: number, address: AddressWords): number {
  if (isIPv4(address)) {
    words[at] = c.AF_INET | (swap16(address.port) << 16)
    words[at + 1] = swap32(address.d)
    words[at + 2] = 0
    words[at + 3] = 0
    return sockaddrIn.size
  }
  words[at] = c.AF_INET6 | (swap16(address.port) << 16)
  words[at + 1] = 0
  words[at + 2] = swap32(address.a)
  words[at + 3] = swap32(address.b)
  words[at + 4] = swap32(address.c)
  words[at + 5] = swap32(address.d)
  words[at + 6] = 0
  return sockaddrIn6.size
}

/** Whether the structure at a word of the arena is what `writeSocketAddress` would write. */
export function isSocketAddress(words: Int32Array, at: number, address: AddressWords): boolean {
  const port = swap16(address.port) << 16
  if (isIPv4(address)) return words[at + 1] === swap32(address.d) && words[at] === (c.AF_INET | port)
  return (
    words[at] === (c.AF_INET6 | port) &&
    words[at + 5] === swap32(address.d) &&
    words[at + 4] === swap32(address.c) &&
    words[at + 3] === swap32(address.b) &&
    words[at + 2] === swap32(address.a)
  )
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8)
}

function swap32(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)
}
