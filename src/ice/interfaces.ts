/**
 * Which addresses of a host are worth a candidate, and in which order: RFC 8445 §5.1.1.1, RFC 8421, and what the field has
 * taught about containers, tunnels and link-local addresses. A pure function over the list of interfaces.
 */

import type { InterfaceAddress } from '../core/host.ts'
import { isIPv4, isSameIp } from '../core/ip.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import { maxLocalPreference } from './candidate.ts'

export interface InterfaceRules {
  /** Loopback addresses: for tests, and for peers on one host. RFC 8445 forbids them otherwise. */
  readonly loopback?: boolean
  readonly linkLocal?: boolean
  /** Names to leave out, `*` for any end; taken instead of the list below. */
  readonly deny?: readonly string[]
  /** Names to take and no others. */
  readonly allow?: readonly string[]
  /** 'avoid' puts tunnels after everything else. */
  readonly tunnels?: 'avoid' | 'use' | 'never'
  /** Where the system sends from by default, as a connected socket tells: goes before other addresses. */
  readonly preferred?: readonly AddressWords[]
  /** Limit: more networks than this give checklists that take seconds. */
  readonly maxIPv6Networks?: number
}

export type Exclusion =
  | 'loopback'
  | 'link-local'
  | 'denied'
  | 'not-allowed'
  | 'tunnel'
  | 'unusable-address'
  | 'same-network'
  | 'too-many-networks'

export interface ChosenInterface {
  readonly name: string
  /** The port is 0. */
  readonly address: TransportAddress
  readonly isTunnel: boolean
  /** 0, and more for a network that is to be avoided (as `network-cost` in a candidate line). */
  readonly networkCost: number
  /** For GatheredCandidate: unique among the chosen. */
  readonly localPreference: number
}

export interface InterfaceChoice {
  /** The best first. */
  readonly chosen: readonly ChosenInterface[]
  readonly excluded: readonly { readonly interface: InterfaceAddress; readonly reason: Exclusion }[]
}

/** Bridges and virtual networks inside of this host: no peer is behind them that is not better reached otherwise. */
export const deniedByDefault: readonly string[] = [
  'docker*',
  'br-*',
  'veth*',
  'virbr*',
  'lxcbr*',
  'lxdbr*',
  'podman*',
  'cni*',
  'cali*',
  'flannel*',
  'vmnet*',
  'vboxnet*',
]

const tunnels: readonly string[] = [
  'tun*',
  'tap*',
  'wg*',
  'utun*',
  'ppp*',
  'ipsec*',
  'tailscale*',
  'zt*',
  'nordlynx*',
]

/** As Chromium rates a VPN beside the network that carries it. */
const tunnelCost = 10
const defaultMaxIPv6Networks = 5

export function chooseInterfaces(
  interfaces: readonly InterfaceAddress[],
  rules: InterfaceRules = {},
): InterfaceChoice {
  const excluded: { interface: InterfaceAddress; reason: Exclusion }[] = []
  const taken: InterfaceAddress[] = []
  // Temporary addresses are not told apart by the system's list: the one that the system itself sends from is such, if
  // there are any. Those made of a hardware address are.
  const rank = (candidate: InterfaceAddress) =>
    isHardwareAddress(candidate) ? 2 : isPreferred(candidate, rules) ? 0 : 1
  const ordered = [...interfaces].sort((x, y) => rank(x) - rank(y))
  for (const candidate of ordered) {
    const reason = exclusionOf(candidate, rules) ?? redundancyOf(candidate, taken, rules)
    if (reason === undefined) taken.push(candidate)
    else excluded.push({ interface: candidate, reason })
  }
  taken.sort((x, y) => interfaces.indexOf(x) - interfaces.indexOf(y))
  return { chosen: withPreferences(inOrder(taken, rules)), excluded }
}

function exclusionOf(candidate: InterfaceAddress, rules: InterfaceRules): Exclusion | undefined {
  const { name, address, internal } = candidate
  if (isUnusable(address)) return 'unusable-address'
  if (internal || isLoopback(address)) return rules.loopback === true ? undefined : 'loopback'
  if (rules.allow !== undefined && !matches(name, rules.allow)) return 'not-allowed'
  if (rules.allow === undefined && matches(name, rules.deny ?? deniedByDefault)) return 'denied'
  if (isLinkLocal(address) && rules.linkLocal !== true) return 'link-local'
  return rules.tunnels === 'never' && matches(name, tunnels) ? 'tunnel' : undefined
}

/** One address of each IPv6 network: RFC 8445 §5.1.1.1 for those that allow tracking, and for the length of the checklist. */
function redundancyOf(
  candidate: InterfaceAddress,
  taken: readonly InterfaceAddress[],
  rules: InterfaceRules,
): Exclusion | undefined {
  if (isIPv4(candidate.address)) return undefined
  const others = taken.filter(({ address }) => !isIPv4(address))
  if (others.some((other) => other.name === candidate.name && isSameNetwork(other, candidate)))
    return 'same-network'
  return others.length >= (rules.maxIPv6Networks ?? defaultMaxIPv6Networks) ? 'too-many-networks' : undefined
}

/** What the system prefers, then other networks, then tunnels; IPv6 and IPv4 mixed within each. */
function inOrder(
  taken: readonly InterfaceAddress[],
  rules: InterfaceRules,
): { readonly candidate: InterfaceAddress; readonly isTunnel: boolean }[] {
  const rank = (candidate: InterfaceAddress) => {
    if (matches(candidate.name, tunnels) && rules.tunnels !== 'use') return 2
    return isPreferred(candidate, rules) ? 0 : 1
  }
  return [0, 1, 2].flatMap((wanted) =>
    intermingle(taken.filter((candidate) => rank(candidate) === wanted)).map((candidate) => ({
      candidate,
      isTunnel: matches(candidate.name, tunnels),
    })),
  )
}

/**
 * RFC 8421 §4: IPv6 first, with a head start of (N4 + N6) / N4 addresses before each IPv4 one, so that one family that does not
 * work cannot keep the other waiting.
 */
export function intermingle<Item extends { readonly address: TransportAddress }>(
  items: readonly Item[],
): Item[] {
  const v4 = items.filter(({ address }) => isIPv4(address))
  const v6 = items.filter(({ address }) => !isIPv4(address))
  if (v4.length === 0 || v6.length === 0) return [...items]
  const headStart = Math.floor(items.length / v4.length)
  const mixed: Item[] = []
  while (v4.length > 0 || v6.length > 0) {
    mixed.push(...v6.splice(0, Math.max(1, headStart)))
    mixed.push(...v4.splice(0, 1))
  }
  return mixed
}

function withPreferences(
  ordered: readonly { readonly candidate: InterfaceAddress; readonly isTunnel: boolean }[],
): ChosenInterface[] {
  return ordered.map(({ candidate: { name, address }, isTunnel }, i) => ({
    name,
    address,
    isTunnel,
    networkCost: isTunnel ? tunnelCost : 0,
    // Steps of 8, for a TCP candidate keeps only the upper 13 bits.
    localPreference: Math.max(0, maxLocalPreference - i * 8),
  }))
}

function isPreferred({ address }: InterfaceAddress, { preferred = [] }: InterfaceRules): boolean {
  return preferred.some((wanted) => isSameIp(wanted, address))
}

function matches(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  )
}

/** Unspecified, multicast; of IPv6 also site-local, IPv4-compatible, and the discard and documentation ranges. */
function isUnusable(address: TransportAddress): boolean {
  if (isIPv4(address)) {
    const first = address.d >>> 24
    return first === 0 || first >= 224
  }
  const { a, b, c, d } = address
  if (a >>> 22 === 0x3fb || a >>> 24 === 0xff) return true
  return a === 0 && b === 0 && c === 0 && d !== 1
}

function isLoopback(address: TransportAddress): boolean {
  if (isIPv4(address)) return address.d >>> 24 === 127
  return address.a === 0 && address.b === 0 && address.c === 0 && address.d === 1
}

function isLinkLocal(address: TransportAddress): boolean {
  return isIPv4(address) ? address.d >>> 16 === 0xa9fe : address.a >>> 22 === 0x3fa
}

/** Modified EUI-64 (RFC 4291 App. A): ff:fe in the middle of the interface identifier. */
function isHardwareAddress({ address }: InterfaceAddress): boolean {
  return !isIPv4(address) && (address.c & 0xff) === 0xff && address.d >>> 24 === 0xfe
}

function isSameNetwork(x: InterfaceAddress, y: InterfaceAddress): boolean {
  const bits = Math.min(x.prefixLength, y.prefixLength)
  const words: readonly ('a' | 'b' | 'c' | 'd')[] = ['a', 'b', 'c', 'd']
  return words.every((word, i) => {
    const inWord = Math.max(0, Math.min(32, bits - i * 32))
    const mask = inWord === 0 ? 0 : -1 << (32 - inWord)
    return (x.address[word] & mask) === (y.address[word] & mask)
  })
}
