/**
 * 1:1 address mapping: a host that is reached at a public address which none of its interfaces has, as in most clouds,
 * and needs no STUN server to know it.
 */

import { isIPv4, isSameIp } from '../core/ip.ts'
import { TransportAddress } from '../core/transport-address.ts'
import type { GatheredCandidate } from './gathered-candidate.ts'

export interface AddressMapping {
  /** The address that peers reach; its port is ignored, for a 1:1 NAT keeps ports. */
  readonly external: TransportAddress
  /** The interface address that it stands for; all of that family unless given. */
  readonly local?: TransportAddress | undefined
  /** 'host': instead of the host candidate. 'srflx': besides it, as a server-reflexive candidate. */
  readonly as: 'host' | 'srflx'
}

/** The candidates that a host candidate becomes; other candidates stay as they are. */
export function mapAddresses(
  gathered: GatheredCandidate,
  mappings: readonly AddressMapping[],
): readonly GatheredCandidate[] {
  if (gathered.type !== 'host') return [gathered]
  const { address } = gathered
  const applied = mappings.filter(({ external, local }) =>
    local === undefined ? isIPv4(external) === isIPv4(address) : isSameIp(local, address),
  )
  const replacements = applied.filter((mapping) => mapping.as === 'host')
  const additions = applied.filter((mapping) => mapping.as === 'srflx')
  const seenAs = ({ external }: AddressMapping) =>
    new TransportAddress(external.a, external.b, external.c, external.d, address.port)
  return [
    ...(replacements.length === 0 ? [gathered] : []),
    ...replacements.map((mapping) => ({ ...gathered, address: seenAs(mapping), base: address })),
    ...additions.map((mapping) => ({
      ...gathered,
      type: 'srflx' as const,
      address: seenAs(mapping),
      base: address,
      localPreference: undefined,
    })),
  ]
}
