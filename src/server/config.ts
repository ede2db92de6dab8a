/** What `turnpike serve` is told, checked as a whole before anything is opened. */

import { TurnpikeError } from '../core/errors.ts'
import type { InterfaceAddress } from '../core/host.ts'
import { TransportAddress } from '../core/transport-address.ts'
import type { AlternateServer } from '../turn/alternate-server.ts'
import type { AddressRange } from '../turn/peer-policy.ts'
import type { PortRange, RelayAddress } from '../turn/relay-address.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'
import { type AlternateConfig, defaultAlternateConfig } from './alternate-config.ts'
import { type CredentialsConfig, checkCredentials, defaultCredentialsConfig } from './credentials-config.ts'
import { defaultIoConfig, type IoConfig } from './io-config.ts'
import { checkLimits, defaultLimitsConfig, type LimitsConfig } from './limits-config.ts'
import { checkStreams, defaultStreamsConfig, type StreamsConfig } from './streams-config.ts'
import { isWildcard } from './wildcard.ts'

export interface ListenAddress {
  readonly transport: ClientTransport
  /** May be a wildcard. */
  readonly address: TransportAddress
  /** A default that the host may lack, such as IPv6: that is a warning, where an address by name is an error. */
  readonly isOptional: boolean
}

/** `--external-address PUBLIC[/PRIVATE]`. */
export interface ExternalAddress {
  readonly external: TransportAddress
  readonly relay: TransportAddress | undefined
}

export interface ServeConfig
  extends CredentialsConfig,
    LimitsConfig,
    StreamsConfig,
    IoConfig,
    AlternateConfig {
  readonly listen: readonly ListenAddress[]
  /** Empty: chosen from the listening addresses and the interfaces. */
  readonly relayAddresses: readonly TransportAddress[]
  readonly externalAddresses: readonly ExternalAddress[]
  readonly relayPorts: PortRange
  readonly allowPeers: readonly AddressRange[]
  readonly denyPeers: readonly AddressRange[]
  readonly allowLegacyChannels: boolean
  /** Where clients are sent for new allocations. */
  readonly alternateServers: readonly AlternateServer[]
  readonly mobility: boolean
}

export const defaultConfig: ServeConfig = {
  ...defaultCredentialsConfig,
  ...defaultLimitsConfig,
  ...defaultStreamsConfig,
  ...defaultIoConfig,
  ...defaultAlternateConfig,
  listen: [
    { transport: 'udp', address: TransportAddress.of('0.0.0.0', 3478), isOptional: false },
    { transport: 'udp', address: TransportAddress.of('::', 3478), isOptional: true },
  ],
  relayAddresses: [],
  externalAddresses: [],
  relayPorts: { min: 49_152, max: 65_535 },
  allowPeers: [],
  denyPeers: [],
  allowLegacyChannels: false,
  alternateServers: [],
  mobility: false,
}

/** Checks what no single flag can see. Throws `no-credentials` or `configuration-invalid`. */
export function checkConfig(config: ServeConfig): void {
  checkCredentials(config)
  checkStreams(config, config.listen)
  checkLimits(config)
  if (config.mobility && config.noAuth) {
    throw new TurnpikeError(
      'configuration-invalid',
      '--mobility needs users: with --no-auth nobody could tell the owner of an allocation from a thief',
    )
  }
}

/** Nobody is sent round in a circle. Throws `configuration-invalid`. */
export function checkAlternates(config: ServeConfig, ownAddresses: readonly TransportAddress[]): void {
  for (const { address } of config.alternateServers) {
    if (!ownAddresses.some((own) => own.equals(address))) continue
    throw new TurnpikeError('configuration-invalid', `--alternate-server ${address} is this server itself`)
  }
}

/** Every concrete address that a listener is reached at. */
export function concreteAddresses(
  listen: TransportAddress,
  interfaces: readonly InterfaceAddress[],
): TransportAddress[] {
  if (!isWildcard(listen)) return [listen]
  return interfaces
    .filter(({ address }) => address.family === listen.family)
    .map(({ address }) => address.withPort(listen.port))
}

/**
 * The relay addresses with what clients are told of each. Without --relay-address: the concrete listening addresses,
 * and for wildcards one address of each family that leads out of the host, or loopback where there is none at all.
 * Throws `relay-address-unavailable` or `configuration-invalid`.
 */
export function relayAddresses(config: ServeConfig, interfaces: readonly InterfaceAddress[]): RelayAddress[] {
  const chosen =
    config.relayAddresses.length > 0 ? config.relayAddresses : defaultRelayAddresses(config, interfaces)
  if (chosen.length === 0) {
    throw new TurnpikeError(
      'relay-address-unavailable',
      'this host has no address to relay from: name one with --relay-address',
    )
  }
  const external = new Map<TransportAddress, TransportAddress>()
  for (const { external: outside, relay } of config.externalAddresses) {
    const inside = chosen.filter((address) =>
      relay === undefined ? address.family === outside.family : address.equals(relay),
    )
    if (inside.length !== 1) throw badExternal(outside, relay, inside, chosen)
    external.set(inside[0]!, outside)
  }
  return chosen.map((address) => ({ address, external: external.get(address) ?? address }))
}

function defaultRelayAddresses(
  config: ServeConfig,
  interfaces: readonly InterfaceAddress[],
): TransportAddress[] {
  const usable = interfaces.filter(({ address }) => !isLinkLocal(address))
  const outward = usable.filter(({ internal }) => !internal)
  // A host without IPv6 has ::1 all the same: that is no address to offer to the world.
  const candidates = outward.length > 0 ? outward : usable
  const addresses = config.listen.flatMap(({ address }) => {
    if (!isWildcard(address)) return [address.withPort(0)]
    const best = candidates.find((entry) => entry.address.family === address.family)
    return best === undefined ? [] : [best.address]
  })
  return addresses.filter((address, i) => addresses.findIndex((other) => other.equals(address)) === i)
}

/** A link-local address needs a zone to send from, and no peer elsewhere can answer it. */
function isLinkLocal(address: TransportAddress): boolean {
  return address.family === 'IPv6' ? address.a >>> 22 === 0x3fa : address.ip.startsWith('169.254.')
}

function badExternal(
  outside: TransportAddress,
  relay: TransportAddress | undefined,
  inside: readonly TransportAddress[],
  chosen: readonly TransportAddress[],
): TurnpikeError {
  const list = chosen.map((address) => address.ip).join(', ')
  const why =
    relay !== undefined
      ? `${relay.ip} is not a relay address`
      : inside.length === 0
        ? `no relay address is ${outside.family}`
        : `more than one relay address is ${outside.family}: write PUBLIC/PRIVATE`
  return new TurnpikeError(
    'configuration-invalid',
    `--external-address ${outside.ip}: ${why} (relay addresses: ${list})`,
  )
}
