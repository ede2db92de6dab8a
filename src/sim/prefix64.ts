/** IPv4 addresses inside IPv6 ones, behind a NAT64 with a prefix of 96 bits (RFC 6052 §2.2). */

import { mappedPrefix } from '../core/ip.ts'
import { TransportAddress } from '../core/transport-address.ts'

export function embed(prefix64: TransportAddress, { d, port }: TransportAddress): TransportAddress {
  return new TransportAddress(prefix64.a, prefix64.b, prefix64.c, d, port)
}

export function unembed({ d, port }: TransportAddress): TransportAddress {
  return new TransportAddress(0, 0, mappedPrefix, d, port)
}
