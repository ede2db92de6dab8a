/** What is said of NAT behavior discovery (RFC 5780): which four addresses answer it, for each transport. */

import { TurnpikeError } from '../core/errors.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { AlternateAddresses } from '../turn/behavior-discovery.ts'
import { PeerPolicy } from '../turn/peer-policy.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'
import type { Log } from './log.ts'
import { isWildcard } from './wildcard.ts'

/** `--advertise PRIVATE=PUBLIC`, both with port 0. */
export interface AdvertisedAddress {
  readonly inside: TransportAddress
  readonly outside: TransportAddress
}

/** `--partner HOST:PORT`. */
export interface PartnerName {
  readonly host: string
  readonly port: number
}

interface Listening {
  readonly transport: ClientTransport
  readonly address: TransportAddress
}

export interface AlternateConfig {
  /** The second address of each family, with port 0; empty: no behavior discovery. */
  readonly alternateAddresses: readonly TransportAddress[]
  /** The second UDP port; the one after the first unless given. */
  readonly alternatePort: number | undefined
  readonly advertised: readonly AdvertisedAddress[]
  /** Other machines that have the second address, for one family each. */
  readonly partners: readonly PartnerName[]
  /** What the partners know each other by. */
  readonly partnerKeyFile: string | undefined
}

export const defaultAlternateConfig: AlternateConfig = {
  alternateAddresses: [],
  alternatePort: undefined,
  advertised: [],
  partners: [],
  partnerKeyFile: undefined,
}

/**
 * The four addresses of every transport that listens at a named address of the alternate's family: the first such
 * listener is the first address, and there has to be one for UDP. Throws `configuration-invalid`.
 */
export function alternatesOf(
  config: AlternateConfig,
  listen: readonly Listening[],
): readonly AlternateAddresses[] {
  const families = config.alternateAddresses.map(({ family }) => family)
  if (new Set(families).size < families.length) {
    throw invalid('--alternate-address is given twice for one family: there is one second address of each')
  }
  checkPartners(config)
  const hasPartner = config.partners.length > 0
  if (families.length === 0 && !hasPartner && config.alternatePort !== undefined) {
    throw invalid('--alternate-port needs an --alternate-address, or a --partner')
  }
  const groups = config.alternateAddresses.flatMap((second) => groupsOf(second, config, listen))
  const partnered = hasPartner
    ? (['IPv4', 'IPv6'] as const).map((family) => firstListener(listen, 'udp', family))
    : []
  const known = [...groups.flatMap(({ bound }) => bound), ...partnered.filter((one) => one !== undefined)]
  for (const { inside, outside } of config.advertised) {
    if (known.some((address) => address.ip === inside.ip)) continue
    throw invalid(
      `--advertise ${inside.ip}=${outside.ip}: ${inside.ip} is neither an --alternate-address nor the --listen address that goes with one or with a --partner`,
    )
  }
  return groups
}

function checkPartners({ partners, partnerKeyFile }: AlternateConfig): void {
  if (partners.length > 0 && partnerKeyFile === undefined) {
    throw invalid(
      '--partner needs a --partner-key FILE, or anybody could have packets sent from here: "openssl rand -hex 32" makes a key for both machines',
    )
  }
  if (partners.length === 0 && partnerKeyFile !== undefined) {
    throw invalid('--partner-key needs a --partner host:port')
  }
}

function groupsOf(
  second: TransportAddress,
  config: AlternateConfig,
  listen: readonly Listening[],
): AlternateAddresses[] {
  const firsts = (['udp', 'tcp', 'tls'] as const).flatMap((transport) => {
    const address = firstListener(listen, transport, second.family)
    return address === undefined ? [] : [{ transport, address }]
  })
  const udp = firsts.find(({ transport }) => transport === 'udp')
  if (udp === undefined) {
    throw invalid(
      `--alternate-address ${second.ip} needs the first address by name, with its port: add --listen udp://${second.family === 'IPv4' ? '192.0.2.1' : '[2001:db8::1]'}:3478`,
    )
  }
  if (udp.address.ip === second.ip) {
    throw invalid(`--alternate-address ${second.ip} is the first address itself: name another one`)
  }
  return firsts.map(({ transport, address }) => {
    const port = secondPort(transport === 'udp' ? config.alternatePort : undefined, address)
    const bound = [address, address.withPort(port), second.withPort(address.port), second.withPort(port)]
    return { transport, bound, advertised: bound.map((inside) => outsideOf(inside, config)) }
  })
}

/** The first listener of that kind at an address by name, with a port: what the four addresses start from. */
export function firstListener(
  listen: readonly Listening[],
  transport: ClientTransport,
  family: TransportAddress['family'],
): TransportAddress | undefined {
  return listen.find(
    ({ transport: other, address }) =>
      other === transport && address.family === family && !isWildcard(address) && address.port > 0,
  )?.address
}

export function secondPort(chosen: number | undefined, first: TransportAddress): number {
  const port = chosen ?? first.port + 1
  if (port === first.port) throw invalid(`--alternate-port ${port} is the first port itself: choose another`)
  if (port > 65_535) throw invalid(`no port comes after ${first.port}: choose one with --alternate-port`)
  return port
}

export function outsideOf(inside: TransportAddress, { advertised }: AlternateConfig): TransportAddress {
  const found = advertised.find((pair) => pair.inside.ip === inside.ip)
  return found === undefined ? inside : found.outside.withPort(inside.port)
}

/** The listeners that the alternates need besides those that are configured. */
export function alternateListeners(
  alternates: readonly Pick<AlternateAddresses, 'transport' | 'bound'>[],
  listen: readonly Listening[],
): (Listening & { readonly isOptional: false })[] {
  return alternates.flatMap(({ transport, bound }) =>
    bound
      .filter(
        (address) => !listen.some((other) => other.transport === transport && other.address.equals(address)),
      )
      .map((address) => ({ transport, address, isOptional: false as const })),
  )
}

/** Clients take an address that they cannot reach for a NAT that filters. */
export function warnOfPrivateAlternates(alternates: readonly AlternateAddresses[], log: Log): void {
  for (const { advertised } of alternates) {
    const [first, , second] = advertised
    if (first === undefined || second === undefined || isPublic(first) === isPublic(second)) continue
    const inside = isPublic(first) ? second : first
    log.warn('clients cannot reach an address of behavior discovery: --advertise says what it is outside', {
      address: inside.ip,
    })
  }
}

const everybody = new PeerPolicy({ allow: [], deny: [] })

function isPublic(address: AddressWords): boolean {
  return everybody.allows(address)
}

function invalid(message: string): TurnpikeError {
  return new TurnpikeError('configuration-invalid', message)
}
