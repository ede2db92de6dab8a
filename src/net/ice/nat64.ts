/**
 * IPv4 for hosts that have IPv6 only, behind a NAT64 (RFC 6146). The prefix is found by a name that has no IPv6 address
 * of its own (RFC 7050); with it a host socket reaches the peer's IPv4 candidates, and is reached from them.
 */

import type { Host } from '../../core/host.ts'
import { type IpWords, isIPv4, mappedPrefix } from '../../core/ip.ts'
import type { SocketId } from '../../core/sans-io.ts'
import { type AddressWords, TransportAddress } from '../../core/transport-address.ts'
import type { IceBase } from './base.ts'

/** RFC 7050 §2.2: IPv4 addresses that no host has, and every DNS64 knows: 192.0.0.170 and 192.0.0.171. */
const wellKnownName = 'ipv4only.arpa'
const wellKnownAddresses = [0xc00000aa | 0, 0xc00000ab | 0]

/** A prefix of 96 bits (RFC 6052 §2.2). Limit: shorter ones, which put the address elsewhere, are not looked for. */
export class Prefix64 {
  readonly #a: number
  readonly #b: number
  readonly #c: number

  constructor({ a, b, c }: IpWords) {
    this.#a = a
    this.#b = b
    this.#c = c
  }

  /** The IPv6 address that stands for an IPv4 one. */
  embed({ d, port }: AddressWords): TransportAddress {
    return new TransportAddress(this.#a, this.#b, this.#c, d, port)
  }

  /** The IPv4 address in it; undefined if it does not begin with the prefix. */
  extract({ a, b, c, d, port }: AddressWords): TransportAddress | undefined {
    if (a !== this.#a || b !== this.#b || c !== this.#c) return undefined
    return new TransportAddress(0, 0, mappedPrefix, d, port)
  }
}

/** Calls back with the prefix of the network's NAT64, or undefined. The returned function cancels it. */
export function findPrefix64(host: Host, callback: (prefix: Prefix64 | undefined) => void): () => void {
  return host.resolve({ name: wellKnownName, type: 'AAAA' }, (answer) => {
    const addresses = answer.type === 'addresses' ? answer.addresses : []
    const found = addresses.find((address) => !isIPv4(address) && wellKnownAddresses.includes(address.d))
    callback(found === undefined ? undefined : new Prefix64(found))
  })
}

/** The IPv4 side of a host socket behind a NAT64: a base of its own, with the address that the NAT64 has given it. */
export class TranslatedBase implements IceBase {
  readonly #socket: IceBase
  readonly #prefix: Prefix64
  id: SocketId | undefined

  constructor(socket: IceBase, prefix: Prefix64) {
    this.#socket = socket
    this.#prefix = prefix
  }

  send(bytes: Uint8Array, destination: AddressWords): boolean {
    return this.#socket.send(bytes, this.#prefix.embed(destination))
  }

  /** The IPv4 peer that a packet comes from; undefined if it comes from an IPv6 one. */
  extract(source: AddressWords): TransportAddress | undefined {
    return this.#prefix.extract(source)
  }

  /** The socket is not ours to close. */
  close(): void {
    this.id = undefined
  }
}
