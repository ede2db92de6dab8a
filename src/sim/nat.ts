/**
 * A NAT as RFC 4787 describes them, for UDP and TCP (RFC 5382): mapping, filtering, ports, pooled addresses,
 * hairpinning, lifetimes. With a prefix it is a NAT64 (RFC 6146). What real NATs do besides is here too:
 * payloads rewritten by an ALG, and mappings that an unasked packet from outside takes away.
 */

import { AddressTable } from '../core/address-table.ts'
import { isSameIp } from '../core/ip.ts'
import { type Instant, later } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import { rewriteAddress } from './alg.ts'
import { Contacts, type Dependency } from './filter.ts'
import type { Middlebox, Verdict } from './middlebox.ts'
import { PortChooser, type PortOptions } from './nat-ports.ts'
import { type Packet, type ProtocolName, protocols } from './packet.ts'
import { embed, unembed } from './prefix64.ts'
import type { SeededRandom } from './seeded-random.ts'

export interface NatOptions extends PortOptions {
  readonly mapping: Dependency
  readonly filtering: Dependency
  /** Whether what one mapping has sent to lets answers in at that mapping, or at all mappings of the inner endpoint. */
  readonly filterScope: 'mapping' | 'endpoint'
  /** Whether an inner host keeps its external address (RFC 4787 §4.1 "paired"). */
  readonly pooling: 'paired' | 'arbitrary'
  /** What an inner host sees when another one sends to its external address (RFC 4787 §6). */
  readonly hairpin: 'none' | 'internal-source' | 'external-source'
  readonly lifetimeMs: number
  /** Until two seconds of traffic both ways have passed, as Linux has it. */
  readonly singleExchangeLifetimeMs: number
  readonly tcpLifetimeMs: number
  /** Whether what comes in keeps a mapping alive, or only what goes out (RFC 4787 §4.3). */
  readonly inboundRefresh: boolean
  /**
   * A packet from outside that nobody asked for takes its external port for its sender: what an inner host sends to
   * that sender later gets another port. Linux without a rule that drops such packets does this.
   */
  readonly poisonedByInbound: boolean
  /** Rewrites addresses in UDP payloads, as application level gateways do. */
  readonly alg: boolean
}

/** One external address and port, and who is behind it. */
export interface NatMapping {
  readonly protocol: ProtocolName
  readonly inner: TransportAddress
  readonly external: TransportAddress
  /** The destination it is for, where the mapping depends on one. */
  readonly toward: TransportAddress | undefined
  readonly expiresAt: Instant
}

interface Mapping extends NatMapping {
  readonly endpoint: Endpoint
  readonly contacts: Contacts
  readonly createdAt: Instant
  /** For one address and port only, whatever the mapping behaviour. */
  readonly isExact: boolean
  isStream: boolean
  isAnswered: boolean
  expiresAt: Instant
}

interface Endpoint {
  readonly contacts: Contacts
  mappings: Mapping[]
}

export class Nat implements Middlebox {
  readonly #options: NatOptions
  readonly #prefix64: TransportAddress | undefined
  readonly #random: SeededRandom
  readonly #ports: PortChooser
  #addresses: readonly TransportAddress[]
  #endpoints = new AddressTable<Endpoint>(0)
  #byExternal = new AddressTable<Mapping[]>(0)
  readonly #mappings = new Set<Mapping>()
  readonly #paired = new AddressTable<TransportAddress>(0)
  #nextAddress = 0
  /** External ports that a remote address has taken, by being there first. */
  readonly #poisoned = new AddressTable<AddressTable<Instant>>(0)
  /** Ports that are not given again to the same endpoint, for the mapping is to move. */
  #mayPreserve = true

  constructor(
    options: NatOptions,
    addresses: readonly TransportAddress[],
    random: SeededRandom,
    prefix64?: TransportAddress,
  ) {
    this.#options = options
    this.#addresses = addresses
    this.#random = random
    this.#ports = new PortChooser(options, random)
    this.#prefix64 = prefix64
  }

  get addresses(): readonly TransportAddress[] {
    return this.#addresses
  }

  /** The mappings in force. */
  mappings(now: Instant): NatMapping[] {
    return [...this.#mappings].filter(({ expiresAt }) => expiresAt > now)
  }

  /** Forgets all mappings. New ones get other ports, unless ports are overloaded. */
  rebind(): void {
    this.#forget()
    this.#mayPreserve = false
  }

  /** Forgets all mappings, as a NAT that starts anew; ports are preserved again. */
  restart(): void {
    this.#forget()
    this.#mayPreserve = true
  }

  /** Has other external addresses from now on. */
  setAddresses(addresses: readonly TransportAddress[]): void {
    this.#forget()
    this.#addresses = addresses
  }

  outbound(packet: Packet, now: Instant): Verdict {
    if (packet.protocol === 'icmp') return this.#outboundError(packet)
    const destination = this.#outsideOf(packet.destination)
    if (destination === undefined) return 'forwarded'
    const isOwn = this.#isOwn(destination)
    if (isOwn && this.#options.hairpin === 'none') return 'filtered'
    const mapping = this.#mappingFor(packet.protocol, packet.source, destination, now)
    if (mapping === undefined) return 'filtered'
    mapping.contacts.add(destination)
    this.#refresh(mapping, now)
    if (this.#options.alg) packet.bytes = rewriteAddress(packet, mapping.inner, mapping.external)
    if (isOwn) return this.#hairpin(packet, mapping, destination, now)
    packet.source = mapping.external
    packet.destination = destination
    return 'forwarded'
  }

  inbound(packet: Packet, now: Instant): Verdict {
    if (packet.protocol === 'icmp') return this.#inboundError(packet, now)
    if (!this.#isOwn(packet.destination)) {
      return packet.destination.family === 'IPv6' ? 'forwarded' : 'filtered'
    }
    const mapping = this.#allowing(packet.protocol, packet.destination, packet.source, now)
    if (mapping === undefined) {
      if (this.#options.poisonedByInbound) this.#poison(packet, now)
      return 'filtered'
    }
    mapping.isAnswered = true
    if (this.#options.inboundRefresh) this.#refresh(mapping, now)
    if (this.#options.alg) packet.bytes = rewriteAddress(packet, mapping.external, mapping.inner)
    packet.source = this.#insideOf(packet.source)
    packet.destination = mapping.inner
    return 'forwarded'
  }

  #hairpin(packet: Packet, from: Mapping, destination: TransportAddress, now: Instant): Verdict {
    const mapping = this.#allowing(packet.protocol, destination, from.external, now)
    if (mapping === undefined) return 'filtered'
    mapping.isAnswered = true
    if (this.#options.inboundRefresh) this.#refresh(mapping, now)
    if (this.#options.hairpin === 'external-source') packet.source = this.#insideOf(from.external)
    packet.destination = mapping.inner
    return 'hairpin'
  }

  /** An ICMP error that an inner host sends about what came in: its subject is known outside by other addresses. */
  #outboundError(packet: Packet): Verdict {
    const destination = this.#outsideOf(packet.destination)
    const { error } = packet
    if (destination === undefined) return 'forwarded'
    const mapping = error && this.#endpoints.get(protocols[error.protocol], error.destination)?.mappings[0]
    if (error === undefined || mapping === undefined) return 'filtered'
    error.destination = mapping.external
    error.source = this.#outsideOf(error.source) ?? error.source
    packet.source = mapping.external.withPort(0)
    packet.destination = destination
    return 'forwarded'
  }

  #inboundError(packet: Packet, now: Instant): Verdict {
    const { error } = packet
    if (error === undefined || !this.#isOwn(packet.destination)) {
      return packet.destination.family === 'IPv6' ? 'forwarded' : 'filtered'
    }
    const mapping = this.#at(error.protocol, error.source, error.destination, now)
    if (mapping === undefined) return 'filtered'
    error.source = mapping.inner
    error.destination = this.#insideOf(error.destination)
    packet.source = this.#insideOf(packet.source)
    packet.destination = mapping.inner.withPort(0)
    return 'forwarded'
  }

  #mappingFor(
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

  #serves(mapping: Mapping, destination: TransportAddress): boolean {
    const { toward } = mapping
    if (toward === undefined) return true
    if (mapping.isExact) return toward.equals(destination)
    return this.#options.mapping === 'address-dependent'
      ? isSameIp(toward, destination)
      : toward.equals(destination)
  }

  #create(
    protocol: ProtocolName,
    endpoint: Endpoint,
    inner: TransportAddress,
    destination: TransportAddress,
    isExact: boolean,
    now: Instant,
  ): Mapping | undefined {
    const { ports, filterScope, filtering, mapping: behaviour } = this.#options
    const address = this.#externalAddressFor(inner)
    const isFree = (port: number) => {
      const external = address.withPort(port)
      const taken = this.#byExternal.get(protocols[protocol], external)
      if (taken?.some(({ expiresAt }) => expiresAt > now)) return false
      return !this.#isPoisoned(protocol, external, destination, now)
    }
    const port = this.#ports.choose(inner.port, isFree, this.#mayPreserve)
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
    this.#mappings.add(mapping)
    return mapping
  }

  #externalAddressFor(inner: TransportAddress): TransportAddress {
    const { pooling } = this.#options
    const addresses = this.#addresses
    if (addresses.length === 1) return addresses[0]!
    if (pooling === 'arbitrary') return this.#random.pick(addresses)
    let address = this.#paired.getIp(0, inner)
    if (address === undefined) {
      address = addresses[this.#nextAddress++ % addresses.length]!
      this.#paired.setIp(0, inner, address)
    }
    return address
  }

  #refresh(mapping: Mapping, now: Instant): void {
    const { lifetimeMs, singleExchangeLifetimeMs, tcpLifetimeMs } = this.#options
    if (mapping.isAnswered && now - mapping.createdAt > 2000) mapping.isStream = true
    const milliseconds = mapping.isStream ? lifetimeMs : singleExchangeLifetimeMs
    mapping.expiresAt = later(now, mapping.protocol === 'tcp' ? tcpLifetimeMs : milliseconds)
  }

  /** The mapping at an external address that lets the remote address in. */
  #allowing(
    protocol: ProtocolName,
    external: TransportAddress,
    remote: TransportAddress,
    now: Instant,
  ): Mapping | undefined {
    const mapping = this.#at(protocol, external, remote, now)
    return mapping?.contacts.allow(remote) === true ? mapping : undefined
  }

  /** The mapping at an external address; of several that share it, the one that has sent to the remote address. */
  #at(
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

  #poison(packet: Packet, now: Instant): void {
    const scope = protocols[packet.protocol]
    let table = this.#poisoned.get(scope, packet.destination)
    if (table === undefined) {
      table = new AddressTable(0)
      this.#poisoned.set(scope, packet.destination, table)
    }
    table.set(0, packet.source, later(now, this.#options.singleExchangeLifetimeMs))
  }

  #isPoisoned(
    protocol: ProtocolName,
    external: TransportAddress,
    remote: TransportAddress,
    now: Instant,
  ): boolean {
    if (!this.#options.poisonedByInbound) return false
    const until = this.#poisoned.get(protocols[protocol], external)?.get(0, remote)
    return until !== undefined && until > now
  }

  #remove(mapping: Mapping): void {
    const { endpoint } = mapping
    this.#mappings.delete(mapping)
    endpoint.mappings = endpoint.mappings.filter((other) => other !== mapping)
    const scope = protocols[mapping.protocol]
    const others = (this.#byExternal.get(scope, mapping.external) ?? []).filter((other) => other !== mapping)
    if (others.length === 0) this.#byExternal.delete(scope, mapping.external)
    else this.#byExternal.set(scope, mapping.external, others)
  }

  #forget(): void {
    this.#endpoints = new AddressTable(0)
    this.#byExternal = new AddressTable(0)
    this.#mappings.clear()
  }

  #isOwn(ip: AddressWords): boolean {
    return this.#addresses.some((address) => isSameIp(address, ip))
  }

  /** How a destination is called outside; undefined when this NAT has nothing to do with it. */
  #outsideOf(destination: TransportAddress): TransportAddress | undefined {
    const prefix = this.#prefix64
    if (prefix === undefined) return destination.family === 'IPv4' ? destination : undefined
    const { a, b, c } = destination
    return a === prefix.a && b === prefix.b && c === prefix.c ? unembed(destination) : undefined
  }

  #insideOf(source: TransportAddress): TransportAddress {
    return this.#prefix64 === undefined ? source : embed(this.#prefix64, source)
  }
}
