/** 1:1 NAT, as clouds have it: each inner host has an external address of its own; ports stay, all may come in. */

import { AddressTable } from '../core/address-table.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { Middlebox, Verdict } from './middlebox.ts'
import type { Packet } from './packet.ts'

export class StaticNat implements Middlebox {
  readonly #free: TransportAddress[]
  readonly #addresses: readonly TransportAddress[]
  readonly #externals = new AddressTable<TransportAddress>(0)
  readonly #inners = new AddressTable<TransportAddress>(0)

  /** The external addresses are given to inner hosts in the order in which they are asked for, or first send. */
  constructor(addresses: readonly TransportAddress[]) {
    this.#addresses = addresses
    this.#free = [...addresses]
  }

  get addresses(): readonly TransportAddress[] {
    return this.#addresses
  }

  /** The external address of an inner host; undefined when there is none left for it. */
  addressOf(inner: TransportAddress): TransportAddress | undefined {
    const known = this.#externals.getIp(0, inner)
    if (known !== undefined) return known
    const external = this.#free.shift()
    if (external === undefined) return undefined
    this.#externals.setIp(0, inner, external)
    this.#inners.setIp(0, external, inner)
    return external
  }

  outbound(packet: Packet): Verdict {
    if (packet.source.family !== 'IPv4') return 'forwarded'
    const external = this.addressOf(packet.source)
    if (external === undefined) return 'filtered'
    const { error } = packet
    if (error !== undefined) error.destination = external.withPort(error.destination.port)
    packet.source = external.withPort(packet.source.port)
    const inner = this.#inners.getIp(0, packet.destination)
    if (inner === undefined) return 'forwarded'
    packet.destination = inner.withPort(packet.destination.port)
    return 'hairpin'
  }

  inbound(packet: Packet): Verdict {
    if (packet.destination.family !== 'IPv4') return 'forwarded'
    const inner = this.#inners.getIp(0, packet.destination)
    if (inner === undefined) return 'filtered'
    const { error } = packet
    if (error !== undefined) error.source = inner.withPort(error.source.port)
    packet.destination = inner.withPort(packet.destination.port)
    return 'forwarded'
  }
}
