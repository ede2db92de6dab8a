/** IP prefixes such as 192.168.1.0/24, and the addresses in them. */

import { TurnpikeError } from '../core/errors.ts'
import { type IpWords, isIPv4 } from '../core/ip.ts'
import { TransportAddress } from '../core/transport-address.ts'

export interface Prefix {
  readonly base: TransportAddress
  /** Of the address's own family: at most 32 for IPv4. */
  readonly length: number
}

/** Reads `192.168.1.0/24` or `2001:db8::/64`. Throws `configuration-invalid`, which names the text. */
export function parsePrefix(text: string): Prefix {
  const [ip, length, ...rest] = text.split('/')
  const bits = Number(length)
  const base = TransportAddress.of(ip ?? '', 0)
  const longest = base.family === 'IPv4' ? 32 : 128
  if (rest.length > 0 || length === undefined || !Number.isInteger(bits) || bits < 1 || bits > longest) {
    throw new TurnpikeError('configuration-invalid', `not a prefix such as 192.168.1.0/24: ${text}`)
  }
  return { base, length: bits }
}

export function isInPrefix(ip: IpWords, { base, length }: Prefix): boolean {
  if (isIPv4(ip) !== isIPv4(base)) return false
  if (isIPv4(base)) return sameBits(ip.d, base.d, length)
  return (
    sameBits(ip.a, base.a, length) &&
    sameBits(ip.b, base.b, length - 32) &&
    sameBits(ip.c, base.c, length - 64) &&
    sameBits(ip.d, base.d, length - 96)
  )
}

/** The address that many places after the base; the port is 0. */
export function addressAt({ base }: Prefix, offset: number): TransportAddress {
  return new TransportAddress(base.a, base.b, base.c, base.d + offset, 0)
}

function sameBits(x: number, y: number, bits: number): boolean {
  if (bits <= 0) return true
  return bits >= 32 ? x === y : (x ^ y) >>> (32 - bits) === 0
}
