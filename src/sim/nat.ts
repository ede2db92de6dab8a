/**
 * A NAT as RFC 4787 describes them, for UDP and TCP (RFC 5382): what it does to each packet that passes, hairpinning and
 * ICMP errors included. With a prefix it is a NAT64 (RFC 6146). Its mappings are in `nat-mappings.ts`.
 */

import type { Instant } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { rewriteAddress } from './alg.ts'
import type { Middlebox, Verdict } from './middlebox.ts'
import { ExternalAddresses } from './nat-addresses.ts'
import { type Mapping, MappingTable, type NatMapping } from './nat-mappings.ts'
import type { NatOptions } from './nat-options.ts'
import type { Packet } from './packet.ts'
import { PoisonedPorts } from './poisoned-ports.ts'
import { embed, unembed } from './prefix64.ts'
import type { SeededRandom } from './seeded-random.ts'

export class Nat implements Middlebox {
  readonly #options: NatOptions
  readonly #prefix64: TransportAddress | undefined
  readonly #addresses: ExternalAddresses
  readonly #poisoned: PoisonedPorts
  readonly #mappings: MappingTable

  constructor(
    options: NatOptions,
    addresses: readonly TransportAddress[],
    random: SeededRandom,
    prefix64?: TransportAddress,
  ) {
    this.#options = options
    this.#prefix64 = prefix64
    this.#addresses = new ExternalAddresses(addresses, options.pooling, random)
    this.#poisoned = new PoisonedPorts(options.singleExchangeLifetimeMs)
    this.#mappings = new MappingTable(options, this.#addresses, this.#poisoned, random)
  }

  get addresses(): readonly TransportAddress[] {
    return this.#addresses.all
  }

  /** The mappings in force. */
  mappings(now: Instant): NatMapping[] {
    return this.#mappings.inForce(now)
  }

  /** Forgets all mappings. New ones get other ports, unless ports are overloaded. */
  rebind(): void {
    this.#mappings.forget()
    this.#mappings.mayPreservePorts = false
  }

  /** Forgets all mappings, as a NAT that starts anew; ports are preserved again. */
  restart(): void {
    this.#mappings.forget()
    this.#mappings.mayPreservePorts = true
  }

  /** Has other external addresses from now on. */
  setAddresses(addresses: readonly TransportAddress[]): void {
    this.#mappings.forget()
    this.#addresses.replace(addresses)
  }

  outbound(packet: Packet, now: Instant): Verdict {
    if (packet.protocol === 'icmp') return this.#outboundError(packet)
    const destination = this.#outsideOf(packet.destination)
    if (destination === undefined) return 'forwarded'
    const isOwn = this.#addresses.has(destination)
    if (isOwn && this.#options.hairpin === 'none') return 'filtered'
    const mapping = this.#mappings.outgoing(packet.protocol, packet.source, destination, now)
    if (mapping === undefined) return 'filtered'
    mapping.contacts.add(destination)
    this.#mappings.refresh(mapping, now)
    if (this.#options.alg) packet.bytes = rewriteAddress(packet, mapping.inner, mapping.external)
    if (isOwn) return this.#hairpin(packet, mapping, destination, now)
    packet.source = mapping.external
    packet.destination = destination
    return 'forwarded'
  }

  inbound(packet: Packet, now: Instant): Verdict {
    if (packet.protocol === 'icmp') return this.#inboundError(packet, now)
    if (!this.#addresses.has(packet.destination)) return this.#unmapped(packet)
    const mapping = this.#mappings.allowing(packet.protocol, packet.destination, packet.source, now)
    if (mapping === undefined) {
      if (this.#options.poisonedByInbound) this.#poisoned.add(packet, now)
      return 'filtered'
    }
    this.#answered(mapping, now)
    if (this.#options.alg) packet.bytes = rewriteAddress(packet, mapping.external, mapping.inner)
    packet.source = this.#insideOf(packet.source)
    packet.destination = mapping.inner
    return 'forwarded'
  }

  /** Back inside, from one inner host to another by its external address (RFC 4787 §6). */
  #hairpin(packet: Packet, from: Mapping, destination: TransportAddress, now: Instant): Verdict {
    const mapping = this.#mappings.allowing(packet.protocol, destination, from.external, now)
    if (mapping === undefined) return 'filtered'
    this.#answered(mapping, now)
    if (this.#options.hairpin === 'external-source') packet.source = this.#insideOf(from.external)
    packet.destination = mapping.inner
    return 'hairpin'
  }

  #answered(mapping: Mapping, now: Instant): void {
    mapping.isAnswered = true
    if (this.#options.inboundRefresh) this.#mappings.refresh(mapping, now)
  }

  /** An ICMP error that an inner host sends about what came in: its subject is known outside by other addresses. */
  #outboundError(packet: Packet): Verdict {
    const destination = this.#outsideOf(packet.destination)
    const { error } = packet
    if (destination === undefined) return 'forwarded'
    const mapping = error && this.#mappings.anyOf(error.protocol, error.destination)
    if (error === undefined || mapping === undefined) return 'filtered'
    error.destination = mapping.external
    error.source = this.#outsideOf(error.source) ?? error.source
    packet.source = mapping.external.withPort(0)
    packet.destination = destination
    return 'forwarded'
  }

  #inboundError(packet: Packet, now: Instant): Verdict {
    const { error } = packet
    if (error === undefined || !this.#addresses.has(packet.destination)) return this.#unmapped(packet)
    const mapping = this.#mappings.at(error.protocol, error.source, error.destination, now)
    if (mapping === undefined) return 'filtered'
    error.source = mapping.inner
    error.destination = this.#insideOf(error.destination)
    packet.source = this.#insideOf(packet.source)
    packet.destination = mapping.inner.withPort(0)
    return 'forwarded'
  }

  /** IPv6 passes as it is, where there is any; for IPv4 there is nobody behind an address that is not ours. */
  #unmapped({ destination }: Packet): Verdict {
    return destination.family === 'IPv6' ? 'forwarded' : 'filtered'
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
