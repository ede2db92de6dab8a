/** A stateful firewall: what has been sent out may be answered, by whom depends on its filtering. */

import { AddressTable } from '../core/address-table.ts'
import { type Instant, later } from '../core/time.ts'
import { Contacts, type Dependency } from './filter.ts'
import type { Middlebox, Verdict } from './middlebox.ts'
import { type Packet, protocols } from './packet.ts'

export interface FirewallOptions {
  readonly filtering?: Dependency
  /** How long an answer may take. */
  readonly lifetimeMs?: number
  /** For TCP, whose connections fall silent for longer. */
  readonly tcpLifetimeMs?: number
  /** Whether what comes in keeps the hole open, or only what goes out. */
  readonly inboundRefresh?: boolean
  /** Only packets of this family; the other passes. */
  readonly family?: 'IPv4' | 'IPv6'
}

interface Session {
  readonly contacts: Contacts
  expiresAt: Instant
}

export class Firewall implements Middlebox {
  readonly #options: Required<Omit<FirewallOptions, 'family'>>
  readonly #family: 'IPv4' | 'IPv6' | undefined
  readonly #sessions = new AddressTable<Session>(0)

  constructor(options: FirewallOptions) {
    this.#family = options.family
    this.#options = {
      filtering: options.filtering ?? 'address-and-port-dependent',
      lifetimeMs: options.lifetimeMs ?? 120_000,
      tcpLifetimeMs: options.tcpLifetimeMs ?? 7_440_000,
      inboundRefresh: options.inboundRefresh ?? false,
    }
  }

  outbound(packet: Packet, now: Instant): Verdict {
    if (packet.protocol === 'icmp' || this.#isOther(packet)) return 'forwarded'
    const scope = protocols[packet.protocol]
    let session = this.#sessions.get(scope, packet.source)
    if (session === undefined || session.expiresAt <= now) {
      session = { contacts: new Contacts(this.#options.filtering), expiresAt: now }
      this.#sessions.set(scope, packet.source, session)
    }
    session.contacts.add(packet.destination)
    session.expiresAt = later(now, this.#lifetimeMs(packet))
    return 'forwarded'
  }

  inbound(packet: Packet, now: Instant): Verdict {
    if (this.#isOther(packet)) return 'forwarded'
    const { error } = packet
    const inner = error === undefined ? packet.destination : error.source
    const remote = error === undefined ? packet.source : error.destination
    const protocol = error === undefined ? packet.protocol : error.protocol
    if (this.#options.filtering === 'endpoint-independent') return 'forwarded'
    const session = this.#sessions.get(protocols[protocol], inner)
    if (session === undefined || session.expiresAt <= now) return 'filtered'
    if (!session.contacts.allow(remote)) return 'filtered'
    if (this.#options.inboundRefresh) session.expiresAt = later(now, this.#lifetimeMs(packet))
    return 'forwarded'
  }

  #lifetimeMs({ protocol }: Packet): number {
    return protocol === 'tcp' ? this.#options.tcpLifetimeMs : this.#options.lifetimeMs
  }

  #isOther({ source }: Packet): boolean {
    return this.#family !== undefined && source.family !== this.#family
  }
}
