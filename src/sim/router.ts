/** A router between a network inside and one outside, with what stands in between: policy, firewall, NAT. */

import type { TransportAddress } from '../core/transport-address.ts'
import type { Middlebox, Verdict } from './middlebox.ts'
import { isMulticast, type LinkPair, type Network, type Node, type Port } from './network.ts'
import type { IcmpReason, Packet } from './packet.ts'
import type { Prefix } from './prefix.ts'
import type { World } from './world.ts'

export interface RouterOptions {
  readonly name: string
  readonly outside: Network
  readonly outsideAddresses: readonly TransportAddress[]
  readonly inside: Network
  readonly insideAddresses: readonly TransportAddress[]
  /** Prefixes inside that the outside shall know. */
  readonly routed: readonly Prefix[]
  /** In the order in which a packet passes them on its way out. */
  readonly middleboxes: readonly Middlebox[]
  readonly outsideLink: LinkPair
  readonly insideLink: LinkPair
  /** What becomes of packets from outside that nothing inside has asked for. */
  readonly unsolicited: 'dropped' | 'rejected'
}

export class Router implements Node {
  readonly name: string
  readonly inside: Port
  readonly outside: Port
  readonly #world: World
  readonly #outbound: readonly Middlebox[]
  readonly #inbound: readonly Middlebox[]
  readonly #unsolicited: 'dropped' | 'rejected'

  constructor(world: World, options: RouterOptions) {
    this.#world = world
    this.name = options.name
    this.#outbound = options.middleboxes
    this.#inbound = [...options.middleboxes].reverse()
    this.#unsolicited = options.unsolicited
    this.outside = options.outside.attach(this, options.outsideAddresses, options.outsideLink)
    this.inside = options.inside.attach(this, options.insideAddresses, options.insideLink)
    options.inside.gateway = this.inside
    for (const prefix of options.routed) announce(prefix, this.outside)
  }

  receive(packet: Packet, port: Port): void {
    if (isMulticast(packet.destination)) return
    packet.hops--
    if (packet.hops < 1) {
      this.#world.note(this.name, 'hops used up', packet)
      this.#reply(packet, port, 'time-exceeded')
    } else if (port === this.inside) this.#handleOutbound(packet)
    else this.#handleInbound(packet)
  }

  #handleOutbound(packet: Packet): void {
    for (const box of this.#outbound) {
      const verdict = box.outbound(packet, this.#world.now)
      if (verdict === 'hairpin') {
        this.inside.send(packet)
        return
      }
      if (verdict !== 'forwarded') {
        this.#refuse(packet, this.inside, verdict)
        return
      }
    }
    this.outside.send(packet)
  }

  #handleInbound(packet: Packet): void {
    for (const box of this.#inbound) {
      const verdict = box.inbound(packet, this.#world.now)
      if (verdict === 'forwarded') continue
      this.#refuse(packet, this.outside, this.#unsolicited === 'rejected' ? 'rejected' : verdict)
      return
    }
    this.inside.send(packet)
  }

  #refuse(packet: Packet, port: Port, verdict: Verdict): void {
    this.#world.note(this.name, verdict === 'rejected' ? 'rejected' : 'filtered', packet)
    if (verdict === 'rejected') this.#reply(packet, port, 'prohibited')
  }

  #reply(packet: Packet, port: Port, reason: IcmpReason): void {
    const reporter = port.addresses.find(({ family }) => family === packet.source.family)
    const reset = reason === 'prohibited' ? packet.reset() : undefined
    const reply = reset ?? (reporter && packet.report(reason, reporter))
    if (reply !== undefined) port.send(reply)
  }
}

/** Tells the prefix to the network outside, and to those beyond its gateway. */
function announce(prefix: Prefix, port: Port): void {
  const { network } = port
  network.addRoute(prefix, port)
  const router = network.gateway?.node
  if (router instanceof Router) announce(prefix, router.outside)
}
