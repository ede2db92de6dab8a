/** A routed packet as one array, for sockets that take nothing else. */

import type { Route } from '../turn/route.ts'

/**
 * What the route says of these bytes: a view where they go out as they are, else an array out of Node's pool, for one of its
 * own costs a quarter of the packet.
 */
export function packetOf(
  { header, headerLength, start, end, padding }: Route,
  bytes: Uint8Array,
): Uint8Array {
  if (headerLength === 0 && padding === 0) return bytes.subarray(start, end)
  const length = headerLength + end - start
  // Every byte of it is written below.
  const packet = Buffer.allocUnsafe(length + padding)
  for (let i = 0; i < headerLength; i++) packet[i] = header[i]!
  packet.set(bytes.subarray(start, end), headerLength)
  for (let i = 0; i < padding; i++) packet[length + i] = 0
  return packet
}
