/** The addresses we relay from, and the ports that are free on each (RFC 8656 §7.2). */

import { isSameIp } from '../core/ip.ts'
import type { AddressWords, MutableAddressWords, TransportAddress } from '../core/transport-address.ts'
import type { AddressFamily } from '../stun/codecs.ts'
import { type PortMemory, PortPool } from './port-pool.ts'

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
  readonly #isShared: boolean
  readonly #isTranslated: boolean

  /** `shared` has the ports of each address, where several engines draw from them; `engine` is who we are among them. */
  constructor(
    addresses: readonly RelayAddress[],
    { min, max }: PortRange,
    shared?: readonly PortMemory[],
    engine?: number,
  ) {
    this.#relays = addresses.map((relay, i) => ({
      ...relay,
      ports: new PortPool(min, max, shared?.[i], engine),
    }))
    this.#isShared = shared !== undefined
    this.#isTranslated = this.#isShared && addresses.some(({ address, external }) => address !== external)
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

  /**
   * Whether a peer is reached at another engine's relayed transport address; if so, `target` becomes where that is
   * bound. The packet takes its way through the system, but stays on this host.
   */
  findElsewhere(peer: AddressWords, target: MutableAddressWords): boolean {
    if (!this.#isShared) return false
    for (const { address, external, ports } of this.#relays) {
      if (!isSameIp(external, peer) && !isSameIp(address, peer)) continue
      if (!ports.isOpenElsewhere(peer.port)) continue
      setAddress(target, address, peer.port)
      return true
    }
    return false
  }

  /** The other way round: whether a packet has come from there; if so, `target` is what clients know it as. */
  findSourceElsewhere(source: AddressWords, target: MutableAddressWords): boolean {
    if (!this.#isTranslated) return false
    for (const { address, external, ports } of this.#relays) {
      if (!isSameIp(address, source) || !ports.isOpenElsewhere(source.port)) continue
      setAddress(target, external, source.port)
      return true
    }
    return false
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

function setAddress(target: MutableAddressWords, { a, b, c, d }: TransportAddress, port: number): void {
  target.a = a
  target.b = b
  target.c = c
  target.d = d
  target.port = port
}
