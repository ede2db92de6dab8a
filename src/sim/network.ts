/**
 * A network that hosts and routers are attached to by links: it takes each packet to the port whose address it
 * names, to the router that has the prefix, or to the gateway.
 */

import { AddressTable } from '../core/address-table.ts'
import { TurnpikeError } from '../core/errors.ts'
import { type IpWords, isIPv4 } from '../core/ip.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { Link, type LinkOptions } from './link.ts'
import type { Packet } from './packet.ts'
import { addressAt, isInPrefix, type Prefix } from './prefix.ts'
import type { World } from './world.ts'

/** A host or a router. */
export interface Node {
  readonly name: string
  receive(packet: Packet, port: Port): void
}

export interface LinkPair {
  readonly up: LinkOptions
  readonly down: LinkOptions
}

export class Port {
  readonly node: Node
  readonly network: Network
  /** From the node into the network. */
  readonly up: Link
  /** From the network to the node. */
  readonly down: Link
  addresses: readonly TransportAddress[] = []
  isUp = true

  constructor(world: World, node: Node, network: Network, links: LinkPair) {
    this.node = node
    this.network = network
    const intoNetwork = { receive: (packet: Packet) => network.receive(packet, this) }
    const intoNode = {
      receive: (packet: Packet) => {
        if (this.isUp) node.receive(packet, this)
        else world.note(node.name, 'interface down', packet)
      },
    }
    this.up = new Link(world, node.name, intoNetwork, links.up, true)
    this.down = new Link(world, node.name, intoNode, links.down, false)
  }

  send(packet: Packet): void {
    this.up.send(packet)
  }
}

export class Network {
  readonly name: string
  readonly IPv4: Prefix | undefined
  readonly IPv6: Prefix | undefined
  /** Where packets go that are for none of this network; undefined in the core. */
  gateway: Port | undefined
  /** Set where a NAT64 stands at the edge: what its DNS makes IPv6 addresses from. */
  prefix64: TransportAddress | undefined
  readonly #world: World
  /** Routers that a packet passes between two ports of this network. */
  readonly #hops: number
  readonly #ports: Port[] = []
  readonly #byIp = new AddressTable<Port>(0)
  readonly #routes: { readonly prefix: Prefix; readonly port: Port }[] = []
  readonly #nextOffset = { IPv4: 2, IPv6: 2 }

  constructor(world: World, name: string, prefixes: readonly Prefix[], hops = 0) {
    this.#world = world
    this.name = name
    this.#hops = hops
    this.IPv4 = prefixes.find(({ base }) => base.family === 'IPv4')
    this.IPv6 = prefixes.find(({ base }) => base.family === 'IPv6')
  }

  /** A port with these addresses. Throws `configuration-invalid` for one that another port has. */
  attach(node: Node, addresses: readonly TransportAddress[], links: LinkPair): Port {
    const port = new Port(this.#world, node, this, links)
    this.setAddresses(port, addresses)
    this.#ports.push(port)
    return port
  }

  /** The port is gone for good; packets on their way to it are lost. */
  detach(port: Port): void {
    this.setAddresses(port, [])
    port.isUp = false
    this.#ports.splice(this.#ports.indexOf(port), 1)
  }

  setAddresses(port: Port, addresses: readonly TransportAddress[]): void {
    for (const address of addresses) {
      const other = this.#byIp.getIp(0, address)
      if (other === undefined || other === port) continue
      throw new TurnpikeError(
        'configuration-invalid',
        `${address.ip} is the address of ${other.node.name} on ${this.name} already`,
      )
    }
    for (const address of port.addresses) this.#byIp.deleteIp(0, address)
    port.addresses = addresses
    for (const address of addresses) this.#byIp.setIp(0, address, port)
  }

  addRoute(prefix: Prefix, port: Port): void {
    this.#routes.push({ prefix, port })
  }

  /** An address that nobody has here yet. Throws `configuration-invalid` where the family is not spoken. */
  freeAddress(family: 'IPv4' | 'IPv6'): TransportAddress {
    const prefix = this[family]
    if (prefix === undefined) {
      throw new TurnpikeError('configuration-invalid', `${this.name} has no ${family}`)
    }
    for (;;) {
      const address = addressAt(prefix, this.#nextOffset[family]++)
      if (!isInPrefix(address, prefix)) {
        throw new TurnpikeError('configuration-invalid', `${this.name} has no ${family} address left`)
      }
      if (this.#byIp.getIp(0, address) === undefined) return address
    }
  }

  prefixLengthOf(address: TransportAddress): number {
    return this[address.family]?.length ?? (address.family === 'IPv4' ? 32 : 128)
  }

  receive(packet: Packet, from: Port): void {
    if (isMulticast(packet.destination)) {
      // Routers do not pass it on, and the internet is full of them.
      if (this.#hops > 0) return
      for (const port of this.#ports) if (port !== from) port.down.send(packet.clone())
      return
    }
    packet.hops -= this.#hops
    if (packet.hops < 1) {
      this.#world.note(this.name, 'hops used up', packet)
      return
    }
    this.#deliver(packet, from)
  }

  /** A packet that comes from none of the ports. */
  inject(packet: Packet): void {
    this.#deliver(packet, undefined)
  }

  #deliver(packet: Packet, from: Port | undefined): void {
    const to = this.#route(packet.destination)
    if (to === undefined || to === from) this.#world.note(this.name, 'no route', packet)
    else to.down.send(packet)
  }

  #route(destination: TransportAddress): Port | undefined {
    const port = this.#byIp.getIp(0, destination)
    if (port !== undefined) return port
    for (const route of this.#routes) if (isInPrefix(destination, route.prefix)) return route.port
    return this.gateway
  }
}

/** 224.0.0.0/4 and ff00::/8. */
export function isMulticast(ip: IpWords): boolean {
  return isIPv4(ip) ? ip.d >>> 28 === 0xe : ip.a >>> 24 === 0xff
}
