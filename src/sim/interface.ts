/** A network interface of a simulated host: it goes up and down, changes its address, moves to another network. */

import { TransportAddress } from '../core/transport-address.ts'
import type { LinkOptions } from './link.ts'
import type { LinkPair, Network, Node, Port } from './network.ts'

export type Family = 'IPv4' | 'IPv6'

/** Anything that has a network to attach to: the internet, a NAT, a firewall. */
export interface Attachable {
  readonly network: Network
  readonly defaultLink: LinkPair
}

export interface InterfaceOptions {
  readonly name?: string
  /** Addresses as text; unless given, one of each family that the network speaks. */
  readonly addresses?: readonly string[]
  readonly families?: readonly Family[]
  /** The default route goes by this interface; by the first one unless given. */
  readonly isDefault?: boolean
  /** Both directions. */
  readonly link?: LinkOptions
  /** From the host, in place of `link`. */
  readonly up?: LinkOptions
  /** To the host, in place of `link`. */
  readonly down?: LinkOptions
}

export class SimInterface {
  readonly name: string
  readonly #node: Node
  readonly #options: InterfaceOptions
  readonly #changed: () => void
  #port: Port

  constructor(node: Node, name: string, place: Attachable, options: InterfaceOptions, changed: () => void) {
    this.name = name
    this.#node = node
    this.#options = options
    this.#changed = changed
    this.#port = this.#attach(place, options.addresses)
  }

  get isDefault(): boolean {
    return this.#options.isDefault === true
  }

  get port(): Port {
    return this.#port
  }

  /** As they are now: none while the interface is down. */
  get addresses(): readonly TransportAddress[] {
    return this.#port.isUp ? this.#port.addresses : []
  }

  /** Packets on their way to a port that went down are lost. */
  down(): void {
    this.#port.isUp = false
    this.#changed()
  }

  up(): void {
    this.#port.isUp = true
    this.#changed()
  }

  /** Takes these addresses in place of those it had; others that are free unless given. */
  changeAddresses(addresses?: readonly string[]): void {
    const { network } = this.#port
    network.setAddresses(this.#port, addressesIn(network, { ...this.#options, addresses: addresses ?? [] }))
    this.#changed()
  }

  /** Leaves its network for another one, as a phone does. */
  moveTo(place: Attachable, addresses?: readonly string[]): void {
    this.#port.network.detach(this.#port)
    this.#port = this.#attach(place, addresses)
    this.#changed()
  }

  /** Changes both directions of its line. */
  changeLink(options: LinkOptions): void {
    this.#port.up.change(options)
    this.#port.down.change(options)
  }

  #attach(place: Attachable, addresses: readonly string[] | undefined): Port {
    const { link, up, down } = this.#options
    return place.network.attach(
      this.#node,
      addressesIn(place.network, { ...this.#options, addresses: addresses ?? [] }),
      {
        up: { ...place.defaultLink.up, ...link, ...up },
        down: { ...place.defaultLink.down, ...link, ...down },
      },
    )
  }
}

function addressesIn(network: Network, { addresses = [], families }: InterfaceOptions): TransportAddress[] {
  if (addresses.length > 0) return addresses.map((ip) => TransportAddress.of(ip, 0))
  const spoken = (['IPv4', 'IPv6'] as const).filter((family) =>
    families === undefined ? network[family] !== undefined : families.includes(family),
  )
  return spoken.map((family) => network.freeAddress(family))
}
