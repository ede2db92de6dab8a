/**
 * The words of NAT behaviour (RFC 4787 §4.1, §5; RFC 5780 §2) and what is still possible of them. Evidence takes
 * possibilities away; an answer is known when one is left.
 */

import { isSameIp } from '../core/ip.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'

/** Endpoint-independent, address-dependent, address- and port-dependent. */
export const mappings = ['EIM', 'ADM', 'APDM'] as const
export const filterings = ['EIF', 'ADF', 'APDF'] as const
export type Mapping = (typeof mappings)[number]
export type Filtering = (typeof filterings)[number]

/** Something asked of the network: the answer, or null and why there is none. */
export interface Finding<Value> {
  readonly value: Value | null
  /** null when there is a value. */
  readonly reason: string | null
}

/** A finding that may be narrowed down without being known. */
export interface Narrowed<Value> extends Finding<Value> {
  /** What it can be; one when it is known. */
  readonly possible: readonly Value[]
}

export function known<Value>(value: Value): Finding<Value> {
  return { value, reason: null }
}

export function unknown(reason: string): Finding<never> {
  return { value: null, reason }
}

export function narrowed<Value>(possible: readonly Value[], reason: string): Narrowed<Value> {
  return possible.length === 1
    ? { value: possible[0]!, reason: null, possible }
    : { value: null, reason, possible }
}

/** Our address as seen at one destination. */
export interface Observation {
  readonly destination: TransportAddress
  readonly mapped: TransportAddress
}

/**
 * Which mappings explain what was seen of one socket. Each pair of observations speaks for itself: the same mapping
 * toward two addresses does not depend on the address; two mappings toward one address depend on the port. Empty when
 * no behaviour of RFC 4787 explains it.
 */
export function possibleMappings(observations: readonly Observation[]): readonly Mapping[] {
  const excluded = new Set<Mapping>()
  for (const [i, x] of observations.entries()) {
    for (const y of observations.slice(i + 1)) {
      if (x.destination.equals(y.destination)) continue
      const isSameAddress = isSameIp(x.destination, y.destination)
      if (x.mapped.equals(y.mapped)) {
        excluded.add('APDM')
        if (!isSameAddress) excluded.add('ADM')
      } else {
        excluded.add('EIM')
        if (isSameAddress) excluded.add('ADM')
      }
    }
  }
  return mappings.filter((mapping) => !excluded.has(mapping))
}

export type LegacyName =
  | 'open-internet'
  | 'symmetric-udp-firewall'
  | 'full-cone'
  | 'restricted-cone'
  | 'port-restricted-cone'
  | 'symmetric'

/** What RFC 3489 called it, and what gamers and Asian forums number NAT1 to NAT4; undefined where it is not known. */
export function legacyName(
  isDirect: boolean,
  mapping: Mapping | null,
  filtering: Filtering | null,
): LegacyName | undefined {
  if (mapping === 'ADM' || mapping === 'APDM') return 'symmetric'
  if (mapping === null || filtering === null) return undefined
  if (isDirect) return filtering === 'EIF' ? 'open-internet' : 'symmetric-udp-firewall'
  if (filtering === 'EIF') return 'full-cone'
  return filtering === 'ADF' ? 'restricted-cone' : 'port-restricted-cone'
}

/** RFC 1918, RFC 6598, link-local and loopback; unique local and link-local of IPv6. */
export function isPrivate(ip: AddressWords): boolean {
  if (ip.c !== 0xffff || ip.a !== 0 || ip.b !== 0) {
    const top = ip.a >>> 16
    return (
      (top & 0xfe00) === 0xfc00 ||
      (top & 0xffc0) === 0xfe80 ||
      (ip.a === 0 && ip.b === 0 && ip.c === 0 && ip.d === 1)
    )
  }
  const first = ip.d >>> 24
  const second = (ip.d >>> 16) & 255
  return (
    first === 10 ||
    first === 127 ||
    (first === 172 && second >>> 4 === 1) ||
    (first === 192 && second === 168) ||
    (first === 169 && second === 254) ||
    isCarrierGrade(ip)
  )
}

/** 100.64.0.0/10 (RFC 6598). */
export function isCarrierGrade(ip: AddressWords): boolean {
  return ip.c === 0xffff && ip.d >>> 24 === 100 && ((ip.d >>> 16) & 0xc0) === 64
}
