/** The addresses we relay from, and the ports that are free on each (RFC 8656 §7.2). */

import type { TransportAddress } from '../core/transport-address.ts'
import type { AddressFamily } from '../stun/codecs.ts'
import { PortPool } from './port-pool.ts'

export interface RelayAddress {
  /** What relay sockets are bound to. The port is 0. */
  readonly address: TransportAddress
  /** What clients are told: the same, or the public side of a 1:1 NAT. */
  readonly external: TransportAddress
}

export interface PortRange {
  readonly min: number
  readonly max: number
}

export interface Relay extends RelayAddress {
  readonly ports: PortPool
}

export class Relays {
  readonly #relays: readonly Relay[]

  constructor(addresses: readonly RelayAddress[], ports: PortRange) {
    this.#relays = addresses.map((relay) => ({ ...relay, ports: new PortPool(ports.min, ports.max) }))
  }

  supports(family: AddressFamily): boolean {
    return this.#relays.some((relay) => relay.external.family === family)
  }

  /** The relay address of that family with the most free ports; undefined when all are used up. */
  withFreePort(family: AddressFamily): Relay | undefined {
    let best: Relay | undefined
    for (const relay of this.#relays) {
      if (relay.external.family === family && relay.ports.free > (best?.ports.free ?? 0)) best = relay
    }
    return best
  }

  /** The relay whose socket address is `local`, whatever the port. */
  at(local: TransportAddress): Relay | undefined {
    return this.#relays.find((relay) => relay.address.equals(local.withPort(0)))
  }

  /** How many ports are taken, over all addresses. */
  get takenPorts(): number {
    return this.#relays.reduce((sum, { ports }) => sum + ports.taken, 0)
  }

  *[Symbol.iterator](): Iterator<Relay> {
    yield* this.#relays
  }
}
