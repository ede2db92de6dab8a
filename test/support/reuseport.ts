/**
 * Which of several UDP sockets at one address (SO_REUSEPORT) Linux gives a packet: the hash of both addresses and ports
 * under a secret of the kernel's, scaled to their number. `net/ipv4/udp.c` (udp_ehashfn), `include/linux/jhash.h`,
 * `net/core/sock_reuseport.c`.
 */

import type { TransportAddress } from '../../src/core/transport-address.ts'

/** The socket's place among `sockets`; packets of one flow have one place. IPv4. */
export function reuseportPlace(
  local: TransportAddress,
  client: TransportAddress,
  sockets: number,
  secret: number,
): number {
  // Addresses and the client's port are taken as they lie in memory, in network order; the own port is a number.
  const ports = (local.port << 16) | swap16(client.port)
  const hash = lookup3([swap32(local.d), swap32(client.d), ports], 12, secret)
  return Math.floor(((hash >>> 0) * sockets) / 2 ** 32)
}

/** Bob Jenkins' lookup3 over `length` bytes in little-endian words; the kernel's jhash_3words for three of them. */
export function lookup3(words: readonly number[], length: number, initial: number): number {
  let a = (0xdeadbeef + length + initial) | 0
  let b = a
  let c = a
  let at = 0
  for (let left = length; left > 12; left -= 12) {
    a = (a + words[at]!) | 0
    b = (b + words[at + 1]!) | 0
    c = (c + words[at + 2]!) | 0
    a = (a - c) ^ rotate(c, 4)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 6)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 8)
    b = (b + a) | 0
    a = (a - c) ^ rotate(c, 16)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 19)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 4)
    b = (b + a) | 0
    at += 3
  }
  a = (a + (words[at] ?? 0)) | 0
  b = (b + (words[at + 1] ?? 0)) | 0
  c = (c + (words[at + 2] ?? 0)) | 0
  c = ((c ^ b) - rotate(b, 14)) | 0
  a = ((a ^ c) - rotate(c, 11)) | 0
  b = ((b ^ a) - rotate(a, 25)) | 0
  c = ((c ^ b) - rotate(b, 16)) | 0
  a = ((a ^ c) - rotate(c, 4)) | 0
  b = ((b ^ a) - rotate(a, 14)) | 0
  c = ((c ^ b) - rotate(b, 24)) | 0
  return c >>> 0
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8)
}

function swap32(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)
}
