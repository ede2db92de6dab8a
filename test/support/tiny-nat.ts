/** A NAT in forty lines: mapping and filtering (RFC 4787), nothing ever expires. */

import { formatAddress, TransportAddress } from '../../src/core/transport-address.ts'

export interface NatBehavior {
  /** Endpoint-independent, or address- and port-dependent. */
  readonly mapping: 'EIM' | 'APDM'
  readonly filtering: 'EIF' | 'ADF' | 'APDF'
}

export class TinyNat {
  readonly #behavior: NatBehavior
  readonly #external: string
  readonly #mappings = new Map<
    string,
    { inside: TransportAddress; outside: TransportAddress; sentTo: Set<string> }
  >()
  #nextPort = 50_000

  constructor(behavior: NatBehavior, external: string) {
    this.#behavior = behavior
    this.#external = external
  }

  /** The source address that a packet leaves with. */
  outbound(inside: TransportAddress, destination: TransportAddress): TransportAddress {
    const key = this.#behavior.mapping === 'EIM' ? `${inside}` : `${inside} ${destination}`
    let mapping = this.#mappings.get(key)
    if (mapping === undefined) {
      const outside = TransportAddress.of(this.#external, this.#nextPort++)
      mapping = { inside, outside, sentTo: new Set() }
      this.#mappings.set(key, mapping)
    }
    mapping.sentTo.add(destination.ip).add(formatAddress(destination))
    return mapping.outside
  }

  /** Who is behind the address, if the packet is let through. */
  inbound(destination: TransportAddress, source: TransportAddress): TransportAddress | undefined {
    for (const { inside, outside, sentTo } of this.#mappings.values()) {
      if (!outside.equals(destination)) continue
      const { filtering } = this.#behavior
      const isOpen =
        filtering === 'EIF' || sentTo.has(filtering === 'ADF' ? source.ip : formatAddress(source))
      return isOpen ? inside : undefined
    }
    return undefined
  }

  /** Forgets everything, so that the next packets leave from other ports. */
  rebind(): void {
    this.#mappings.clear()
  }
}
