/** An application level gateway as cheap routers have it: it rewrites whatever looks like the inner address. */

import { isIPv4 } from '../core/ip.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { Packet } from './packet.ts'

/** The payload with the IPv4 address `from` replaced by `to`, wherever it is found in UDP; else as it was. */
export function rewriteAddress(
  { protocol, bytes }: Packet,
  from: TransportAddress,
  to: TransportAddress,
): Uint8Array {
  if (protocol !== 'udp' || !isIPv4(from) || !isIPv4(to)) return bytes
  let result = bytes
  for (let at = 0; at + 4 <= bytes.length; at++) {
    if (wordAt(bytes, at) !== from.d) continue
    if (result === bytes) result = bytes.slice()
    for (let i = 0; i < 4; i++) result[at + i] = (to.d >>> (24 - 8 * i)) & 255
  }
  return result
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
