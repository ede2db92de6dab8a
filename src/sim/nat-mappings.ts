/** The mappings of a NAT: who has which external address and port, for whom, and for how long (RFC 4787 §4). */

import { AddressTable } from '../core/address-table.ts'
import { isSameIp } from '../core/ip.ts'
import { type Instant, later } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import { Contacts } from './filter.ts'
import type { ExternalAddresses } from './nat-addresses.ts'
import type { NatOptions } from './nat-options.ts'
import { PortChooser } from './nat-ports.ts'
import { type ProtocolName, protocols } from './packet.ts'
import type { PoisonedPorts } from './poisoned-ports.ts'
import type { SeededRandom } from './seeded-random.ts'

/** One external address and port, and who is behind it. */
export interface NatMapping {
  readonly protocol: ProtocolName
  readonly inner: TransportAddress
  readonly external: TransportAddress
  /** The destination it is for, where the mapping depends on one. */
  readonly toward: TransportAddress | undefined
  readonly expiresAt: Instant
}

export interface Mapping extends NatMapping {
  readonly endpoint: InnerEndpoint
  /** Whom it lets in. */
  readonly contacts: Contacts
  readonly createdAt: Instant
  /** For one address and port only, whatever the mapping behaviour. */
  readonly isExact: boolean
  isStream: boolean
  isAnswered: boolean
  expiresAt: Instant
}

/** An address and port of an inner host. */
interface InnerEndpoint {
  readonly contacts: Contacts
  mappings: Mapping[]
}

export class MappingTable {
  /** False when new mappings are to move: they do not get the inner port then. */
  mayPreservePorts = true
  readonly #options: NatOptions
  readonly #addresses: ExternalAddresses
  readonly #poisoned: PoisonedPorts
  readonly #ports: PortChooser
  #endpoints = new AddressTable<InnerEndpoint>(0)
  #byExternal = new AddressTable<Mapping[]>(0)
  readonly #all = new Set<Mapping>()

  constructor(
    options: NatOptions,
    addresses: ExternalAddresses,
    poisoned: PoisonedPorts,
    random: SeededRandom,
  ) {
    this.#options = options
    this.#addresses = addresses
    this.#poisoned = poisoned
    this.#ports = new PortChooser(options, random)
  }

  inForce(now: Instant): NatMapping[] {
    return [...this.#all].filter(({ expiresAt }) => expiresAt > now)
  }

  forget(): void {
    this.#endpoints = new AddressTable(0)
    this.#byExternal = new AddressTable(0)
    this.#all.clear()
  }

  /** The mapping for what an inner endpoint sends to a destination, made if there is none; undefined: no port is free. */
  outgoing(
    protocol: ProtocolName,
    inner: TransportAddress,
    destination: TransportAddress,
    now: Instant,
  ): Mapping | undefined {
    const scope = protocols[protocol]
    let endpoint = this.#endpoints.get(scope, inner)
    if (endpoint === undefined) {
      endpoint = { contacts: new Contacts(this.#options.filtering), mappings: [] }
      this.#endpoints.set(scope, inner, endpoint)
    }
    let isExact = false
    for (const mapping of endpoint.mappings) {
      if (mapping.expiresAt <= now) {
        this.#remove(mapping)
        continue
      }
      if (!this.#serves(mapping, destination)) continue
      if (mapping.isExact || !this.#isPoisoned(protocol, mapping.external, destination, now)) return mapping
      isExact = true
    }
    return this.#create(protocol, endpoint, inner, destination, isExact, now)
  }

  /** Any mapping of an inner endpoint. */
  anyOf(protocol: ProtocolName, inner: TransportAddress): Mapping | undefined {
    return this.#endpoints.get(protocols[protocol], inner)?.mappings[0]
  }

  /** The mapping at an external address; of several that share it, the one that has sent to the remote address. */
  at(
    protocol: ProtocolName,
    external: AddressWords,
    remote: TransportAddress,
    now: Instant,
  ): Mapping | undefined {
    const mappings = this.#byExternal.get(protocols[protocol], external)
    if (mappings === undefined) return undefined
    const living = mappings.filter(({ expiresAt }) => expiresAt > now)
    if (living.length < 2) return living[0]
    return living.find(({ contacts }) => contacts.allow(remote)) ?? living[0]
  }

  /** The mapping at an external address that lets the remote address in. */
  allowing(
    protocol: ProtocolName,
    external: TransportAddress,
    remote: TransportAddress,
    now: Instant,
  ): Mapping | undefined {
    const mapping = this.at(protocol, external, remote, now)
    return mapping?.contacts.allow(remote) === true ? mapping : undefined
  }

  /** Keeps it alive from now on: the longer when it has been a stream for a while. */
  refresh(mapping: Mapping, now: Instant): void {
    const { lifetimeMs, singleExchangeLifetimeMs, tcpLifetimeMs } = this.#options
    if (mapping.isAnswered && now - mapping.createdAt > 2000) mapping.isStream = true
    const milliseconds = mapping.isStream ? lifetimeMs : singleExchangeLifetimeMs
    mapping.expiresAt = later(now, mapping.protocol === 'tcp' ? tcpLifetimeMs : milliseconds)
  }

  /** RFC 4787 §4.1: one for everybody, one for each address, or one for each address and port. */
  #serves({ toward, isExact }: Mapping, destination: TransportAddress): boolean {
    if (toward === undefined) return true
    if (isExact) return toward.equals(destination)
    return this.#options.mapping === 'address-dependent'
      ? isSameIp(toward, destination)
      : toward.equals(destination)
  }

  #create(
    protocol: ProtocolName,
    endpoint: InnerEndpoint,
    inner: TransportAddress,
    destination: TransportAddress,
    isExact: boolean,
    now: Instant,
  ): Mapping | undefined {
    const { ports, filterScope, filtering, mapping: behaviour } = this.#options
    const address = this.#addresses.choose(inner)
    const isFree = (port: number) => {
      const external = address.withPort(port)
      const taken = this.#byExternal.get(protocols[protocol], external)
      if (taken?.some(({ expiresAt }) => expiresAt > now)) return false
      return !this.#isPoisoned(protocol, external, destination, now)
    }
    const port = this.#ports.choose(inner.port, isFree, this.mayPreservePorts)
    if (port === undefined) return undefined
    const external = address.withPort(port)
    const mapping: Mapping = {
      protocol,
      inner,
      external,
      endpoint,
      toward: isExact || behaviour !== 'endpoint-independent' ? destination : undefined,
      contacts: filterScope === 'endpoint' ? endpoint.contacts : new Contacts(filtering),
      isExact,
      createdAt: now,
      isStream: false,
      isAnswered: false,
      expiresAt: now,
    }
    // Exact ones first: they are found before the general one.
    endpoint.mappings = [mapping, ...endpoint.mappings.filter(({ expiresAt }) => expiresAt > now)]
    const sharers = ports === 'overloaded' ? (this.#byExternal.get(protocols[protocol], external) ?? []) : []
    const others = sharers.filter(({ expiresAt }) => expiresAt > now)
    this.#byExternal.set(protocols[protocol], external, [mapping, ...others])
    this.#all.add(mapping)
    return mapping
  }

  #isPoisoned(
    protocol: ProtocolName,
    external: TransportAddress,
    remote: TransportAddress,
    now: Instant,
  ): boolean {
    return this.#options.poisonedByInbound && this.#poisoned.has(protocol, external, remote, now)
  }

  #remove(mapping: Mapping): void {
    const { endpoint } = mapping
    this.#all.delete(mapping)
    endpoint.mappings = endpoint.mappings.filter((other) => other !== mapping)
    const scope = protocols[mapping.protocol]
    const others = (this.#byExternal.get(scope, mapping.external) ?? []).filter((other) => other !== mapping)
    if (others.length === 0) this.#byExternal.delete(scope, mapping.external)
    else this.#byExternal.set(scope, mapping.external, others)
  }
}
