/** An IP address and a port (RFC 8489 §4 "transport address"), in the two forms the cores work with. */

import { TurnpikeError } from './errors.ts'
import { formatIp, type IpWords, isIPv4, isSameIp, type MutableIpWords, readIp } from './ip.ts'

/**
 * What the data path reads: five numbers. A driver hands in one object that it reuses for every packet, so
 * whoever wants to keep an address takes `TransportAddress.from(words)`.
 */
export interface AddressWords extends IpWords {
  readonly port: number
}

export interface MutableAddressWords extends MutableIpWords {
  port: number
}

/** An immutable transport address, safe to keep. */
export class TransportAddress implements AddressWords {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
  readonly port: number

  constructor(a: number, b: number, c: number, d: number, port: number) {
    this.a = a | 0
    this.b = b | 0
    this.c = c | 0
    this.d = d | 0
    this.port = port
  }

  /** A copy that stays as it is when the driver reuses `words`. */
  static from(words: AddressWords): TransportAddress {
    if (words instanceof TransportAddress) return words
    return new TransportAddress(words.a, words.b, words.c, words.d, words.port)
  }

  /** From an IP address in text form. Throws `address-invalid` if it is not one, or the port is not 0–65535. */
  static of(ip: string, port: number): TransportAddress {
    const words = { a: 0, b: 0, c: 0, d: 0 }
    if (!readIp(ip, words))
      throw new TurnpikeError('address-invalid', `not an IP address: ${JSON.stringify(ip)}`)
    if (!Number.isInteger(port) || port < 0 || port > 65535) {
      throw new TurnpikeError('address-invalid', `not a port (0-65535): ${port}`)
    }
    return new TransportAddress(words.a, words.b, words.c, words.d, port)
  }

  /** From `192.0.2.1:3478` or `[2001:db8::1]:3478`. Throws `address-invalid`. */
  static parse(text: string): TransportAddress {
    const match = /^(?:\[([^[\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
    if (match === null) {
      throw new TurnpikeError(
        'address-invalid',
        `not an address with a port (192.0.2.1:3478, [2001:db8::1]:3478): ${JSON.stringify(text)}`,
      )
    }
    return TransportAddress.of((match[1] ?? match[2])!, Number(match[3]))
  }

  get family(): 'IPv4' | 'IPv6' {
    return isIPv4(this) ? 'IPv4' : 'IPv6'
  }

  /** The address without the port, in canonical text form. */
  get ip(): string {
    return formatIp(this)
  }

  equals(other: AddressWords): boolean {
    return this.port === other.port && isSameIp(this, other)
  }

  withPort(port: number): TransportAddress {
    return new TransportAddress(this.a, this.b, this.c, this.d, port)
  }

  toString(): string {
    return formatAddress(this)
  }

  toJSON(): string {
    return formatAddress(this)
  }
}

/** `192.0.2.1:3478` or `[2001:db8::1]:3478`. */
export function formatAddress(words: AddressWords): string {
  return isIPv4(words) ? `${formatIp(words)}:${words.port}` : `[${formatIp(words)}]:${words.port}`
}
