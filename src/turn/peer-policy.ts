/**
 * Which peers may be relayed to (RFC 8656 §10.2, §11.2, §12.2, §21.2.2). A TURN server stands inside somebody's
 * network, so by default only globally reachable unicast addresses are peers. Addresses that carry an IPv4
 * address inside are judged by that one as well, whatever the spelling.
 */

import { TurnpikeError } from '../core/errors.ts'
import { compareIp, type IpWords, isIPv4, type MutableIpWords, mappedPrefix, readIp } from '../core/ip.ts'

/** Both ends belong to the range. */
export interface AddressRange {
  readonly first: IpWords
  readonly last: IpWords
}

export interface PeerPolicyOptions {
  /** Allowed even where the defaults or `deny` say no. */
  readonly allow: readonly AddressRange[]
  readonly deny: readonly AddressRange[]
}

/** Never peers, whatever is configured: no single host answers there, or the host is this one, or a tunnel. */
const neverPeers = [
  '0.0.0.0/8',
  '224.0.0.0/4',
  '255.255.255.255',
  '::',
  'ff00::/8',
  // A tunnel's end could be made to send our packets back to us (RFC 8656 §21.4): Teredo and 6to4.
  '2001::/32',
  '2002::/16',
]

/** Not globally reachable (IANA special-purpose registries), and what clouds keep for themselves. */
const notGloballyReachable = [
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16', // a cloud's host agent under a public address
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '240.0.0.0/4',
  // Of IPv6 only 2000::/3 is global unicast: all else is refused, translation prefixes such as NAT64 with it.
  '::/3',
  '2001::/23', // IETF protocol assignments, Teredo among them
  '2001:db8::/32',
  '2002::/16', // 6to4
  '3fff::/20',
  '4000::/2',
  '8000::/1',
]

export class PeerPolicy {
  readonly #allow: readonly AddressRange[]
  readonly #deny: readonly AddressRange[]

  constructor(options: PeerPolicyOptions) {
    this.#allow = options.allow
    this.#deny = options.deny
  }

  /** Whether the address may be a peer. An allowed range wins over a denied one, as coturn's and eturnal's do. */
  allows(ip: IpWords): boolean {
    if (isWithin(ip, never)) return false
    const embedded = embeddedIPv4(ip)
    if (embedded !== undefined && !this.allows(embedded)) return false
    if (this.names(ip)) return true
    return !isWithin(ip, this.#deny) && !isWithin(ip, special)
  }

  /** Whether the address is refused by name, or is none of a single host. */
  denies(ip: IpWords): boolean {
    return isWithin(ip, never) || isWithin(ip, this.#deny)
  }

  /** Whether an allowed range of the configuration, and not only the defaults, has the address. */
  names(ip: IpWords): boolean {
    return isWithin(ip, this.#allow)
  }
}

/**
 * Reads `10.0.0.0/8`, `192.0.2.1-192.0.2.9`, `2001:db8::/32` or one address.
 * Throws `configuration-invalid`, which names the text, for anything else; nothing is guessed.
 */
export function parseAddressRange(text: string): AddressRange {
  const [from, to, ...rest] = text.split('-')
  if (rest.length > 0) throw badRange(text, 'more than one "-"')
  if (to !== undefined) {
    const range = { first: parseIp(from!, text), last: parseIp(to, text) }
    if (isIPv4(range.first) !== isIPv4(range.last)) throw badRange(text, 'its ends are of different families')
    if (compareIp(range.first, range.last) > 0) throw badRange(text, 'it ends before it starts')
    return range
  }
  const [address, bits, ...more] = text.split('/')
  const ip = parseIp(address!, text)
  const width = isIPv4(ip) ? 32 : 128
  if (more.length > 0) throw badRange(text, 'more than one "/"')
  if (bits === undefined) return { first: ip, last: ip }
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > width)
    throw badRange(text, `the prefix length is not 0-${width}`)
  return rangeOfPrefix(ip, Number(bits) + 128 - width)
}

/** Whether the address is one of Teredo or 6to4, from which no allocation is accepted (RFC 8656 §21.4). */
export function isTunnelled(ip: IpWords): boolean {
  return ip.a === 0x20010000 || ip.a >>> 16 === 0x2002
}

/** The IPv4 address that an IPv6 address carries inside, by any of the known forms; undefined if there is none. */
export function embeddedIPv4(ip: IpWords): IpWords | undefined {
  if (isIPv4(ip)) return undefined
  const { a, b, c, d } = ip
  const isLowWord = a === 0 && b === 0
  if (isLowWord && c === 0 && d >>> 0 > 1) return ipv4(d) // IPv4-compatible, RFC 4291 §2.5.5.1
  if (isLowWord && c === 0xffff0000 >> 0) return ipv4(d) // IPv4-translated ::ffff:0:a.b.c.d, RFC 2765
  if (a === 0x0064ff9b) return ipv4(d) // NAT64, RFC 6052 and RFC 8215
  if (a >>> 16 === 0x2002) return ipv4((a << 16) | (b >>> 16)) // 6to4, RFC 3056
  if (a === 0x20010000) return ipv4(~d) // Teredo, RFC 4380 §4
  if ((c & ~0x02000000) === 0x00005efe) return ipv4(d) // ISATAP, RFC 5214 §6.1
  return undefined
}

const never = neverPeers.map(parseAddressRange)
const special = notGloballyReachable.map(parseAddressRange)

/** IPv4 stands inside ::/3 as its mapped form, so ranges only count for their own family. */
function isWithin(ip: IpWords, ranges: readonly AddressRange[]): boolean {
  for (const range of ranges) {
    if (
      isIPv4(range.first) === isIPv4(ip) &&
      compareIp(range.first, ip) <= 0 &&
      compareIp(ip, range.last) <= 0
    ) {
      return true
    }
  }
  return false
}

function rangeOfPrefix(ip: IpWords, bits: number): AddressRange {
  const mask = (word: number) => {
    const kept = Math.min(32, Math.max(0, bits - word * 32))
    return kept === 0 ? 0 : (-1 << (32 - kept)) | 0
  }
  const first = { a: ip.a & mask(0), b: ip.b & mask(1), c: ip.c & mask(2), d: ip.d & mask(3) }
  return {
    first,
    last: { a: first.a | ~mask(0), b: first.b | ~mask(1), c: first.c | ~mask(2), d: first.d | ~mask(3) },
  }
}

function parseIp(text: string, whole: string): IpWords {
  const words: MutableIpWords = { a: 0, b: 0, c: 0, d: 0 }
  if (!readIp(text, words)) throw badRange(whole, `${JSON.stringify(text)} is not an IP address`)
  return words
}

function ipv4(word: number): IpWords {
  return { a: 0, b: 0, c: mappedPrefix, d: word | 0 }
}

function badRange(text: string, why: string): TurnpikeError {
  return new TurnpikeError(
    'configuration-invalid',
    `not an address range: ${JSON.stringify(text)} (${why}; write 10.0.0.0/8, 192.0.2.1-192.0.2.9 or one address)`,
  )
}
