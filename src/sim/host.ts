/**
 * A host on a simulated internet: the Host port of the real machine, with interfaces that one can pull. Programs
 * run on it unchanged, in virtual time.
 */

import type {
  Clock,
  DnsAnswer,
  DnsQuery,
  Host,
  InterfaceAddress,
  StreamHandlers,
  StreamSocket,
  TcpConnectOptions,
  TcpListener,
  TcpListenHandlers,
  TcpListenOptions,
  UdpBindOptions,
  UdpHandlers,
  UdpSocket,
} from '../core/host.ts'
import { isIPv4, isSameIp } from '../core/ip.ts'
import type { Random } from '../core/random.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { type Attachable, type InterfaceOptions, SimInterface } from './interface.ts'
import { isMulticast, type Node, type Port } from './network.ts'
import type { IcmpReason, Packet } from './packet.ts'
import { isInPrefix } from './prefix.ts'
import type { SeededRandom } from './seeded-random.ts'
import { isWildcard, SocketTable } from './sockets.ts'
import { TcpStack } from './tcp-stack.ts'
import { SimUdpSocket } from './udp.ts'
import type { World } from './world.ts'

export interface HostOptions extends InterfaceOptions {
  /** The interface is `eth0`. */
  readonly hostName?: string
  /**
   * Whether an ICMP error is told to the UDP socket that has sent the packet, as Windows does and Linux where a
   * socket is connected. TCP connections always hear of it.
   */
  readonly reportsIcmp?: boolean
  /** Whether a UDP packet to a port without a socket is answered by an ICMP error. */
  readonly sendsIcmp?: boolean
}

const loopbackPrefixLength = { IPv4: 8, IPv6: 128 }
const loopbackAddresses = [TransportAddress.of('127.0.0.1', 0), TransportAddress.of('::1', 0)]

export class SimHost implements Host, Node {
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  readonly #world: World
  readonly #options: HostOptions
  readonly #internal: SeededRandom
  readonly #interfaces: SimInterface[] = []
  /** The same, that of the default route first. */
  #routes: readonly SimInterface[] = []
  readonly #udp = new SocketTable<SimUdpSocket>()
  /** Sockets in multicast groups may share a port. */
  #members: SimUdpSocket[] = []
  readonly #tcp: TcpStack
  readonly #watchers = new Set<() => void>()

  constructor(world: World, name: string, options: HostOptions) {
    this.name = name
    this.#world = world
    this.#options = options
    this.clock = world.clock
    this.random = world.random.fork()
    this.#internal = world.random.fork()
    this.#tcp = new TcpStack(world, this.#internal, {
      transmit: (packet) => this.transmit(packet),
      has: (address) => this.#hasAddress(address),
      sourceFor: (remote) => this.sourceFor(remote),
    })
  }

  /** Connects the host to one more network. */
  addInterface(place: Attachable, options: InterfaceOptions = {}): SimInterface {
    const name = options.name ?? `eth${this.#interfaces.length}`
    const added = new SimInterface(this, name, place, options, () => this.#interfacesChanged())
    this.#interfaces.push(added)
    this.#routes = this.#interfaces.toSorted((x, y) => Number(y.isDefault) - Number(x.isDefault))
    return added
  }

  /** The interface of that name; the first one unless given. */
  interface(name?: string): SimInterface {
    const found = this.#interfaces.find((one) => name === undefined || one.name === name)
    if (found === undefined) throw new RangeError(`${this.name} has no interface ${name ?? 'at all'}`)
    return found
  }

  /** The first address of the family, with a port. */
  address(port = 0, family?: 'IPv4' | 'IPv6'): TransportAddress {
    for (const { addresses } of this.#interfaces) {
      for (const address of addresses) {
        if (family === undefined || address.family === family) return address.withPort(port)
      }
    }
    throw new RangeError(`${this.name} has no ${family ?? ''} address`)
  }

  /** UDP sockets, TCP listeners and connections that nobody has closed: none, when all programs here have ended. */
  get openSockets(): number {
    return this.#udp.size + this.#members.length + this.#tcp.openSockets
  }

  bindUdp(options: UdpBindOptions, handlers: UdpHandlers): UdpSocket {
    return new SimUdpSocket(
      {
        bindUdp: (socket) => this.#bind(socket, options),
        releaseUdp: (socket) => this.#release(socket),
        transmit: (packet) => this.transmit(packet),
        soon: (callback) => this.#world.soon(callback),
      },
      options,
      handlers,
    )
  }

  listenTcp(options: TcpListenOptions, handlers: TcpListenHandlers): TcpListener {
    return this.#tcp.listen(options, handlers)
  }

  connectTcp(options: TcpConnectOptions, handlers: StreamHandlers): StreamSocket {
    return this.#tcp.connect(options, handlers)
  }

  resolve(query: DnsQuery, callback: (answer: DnsAnswer) => void): () => void {
    const literal = literalAnswer(query)
    if (literal !== undefined) return this.#world.soon(() => callback(literal))
    const { zones } = this.#world
    return this.#world.after(zones.delayMs(query.name), () => {
      const up = this.#interfaces.find(({ addresses }) => addresses.length > 0)
      if (up === undefined) callback({ type: 'failed', reason: 'ETIMEOUT' })
      else callback(zones.answer(query, up.port.network.prefix64))
    })
  }

  interfaces(): readonly InterfaceAddress[] {
    return [
      ...loopbackAddresses.map((address) => ({
        name: 'lo',
        address,
        internal: true,
        prefixLength: loopbackPrefixLength[address.family],
      })),
      ...this.#interfaces.flatMap(({ name, addresses, port }) =>
        addresses.map((address) => ({
          name,
          address,
          internal: false,
          prefixLength: port.network.prefixLengthOf(address),
        })),
      ),
    ]
  }

  /**
   * The address of the interface that is in the remote one's network, or else of the one that the default route goes by:
   * the first of the family unless `isDefault` says otherwise.
   */
  sourceFor(remote: TransportAddress): TransportAddress | undefined {
    if (isLoopback(remote)) return loopbackAddresses[isIPv4(remote) ? 0 : 1]
    const { family } = remote
    let first: TransportAddress | undefined
    for (const { addresses, port } of this.#routes) {
      for (const address of addresses) {
        if (address.family !== family) continue
        const prefix = port.network[family]
        if (prefix !== undefined && isInPrefix(remote, prefix)) return address
        first ??= address
      }
    }
    return first
  }

  /** Calls back whenever an interface has changed. The returned function ends that. */
  onInterfacesChanged(callback: () => void): () => void {
    this.#watchers.add(callback)
    return () => this.#watchers.delete(callback)
  }

  /** Sends a packet, or says why that is not possible. */
  transmit(packet: Packet): string | undefined {
    const { destination } = packet
    if (isWildcard(packet.source)) {
      const source = this.sourceFor(destination)
      if (source === undefined) return 'ENETUNREACH'
      packet.source = source.withPort(packet.source.port)
    }
    if (!isLoopback(packet.source) && !this.#hasAddress(packet.source)) return 'EADDRNOTAVAIL'
    if (isLoopback(destination) || this.#hasAddress(destination)) {
      this.#world.note(this.name, 'sent', packet)
      this.#world.soon(() => this.#deliver(packet))
      return undefined
    }
    const port = this.#portOf(packet.source)
    if (port === undefined) return 'ENETUNREACH'
    this.#world.note(this.name, 'sent', packet)
    if (!this.#world.lets(packet, this.name)) {
      this.#world.note(this.name, 'intercepted', packet)
      return undefined
    }
    if (isMulticast(destination)) {
      const copy = packet.clone()
      this.#world.soon(() => this.#deliverMulticast(copy))
    }
    port.send(packet)
    return undefined
  }

  receive(packet: Packet, port: Port): void {
    if (isMulticast(packet.destination)) {
      this.#deliverMulticast(packet)
      return
    }
    // An address that the interface has given up meanwhile is nobody's.
    if (!port.addresses.some((address) => isSameIp(address, packet.destination))) {
      this.#world.note(this.name, 'no route', packet)
      return
    }
    this.#deliver(packet)
  }

  #deliver(packet: Packet): void {
    if (packet.protocol === 'icmp') {
      this.#deliverError(packet)
      return
    }
    if (packet.protocol === 'tcp') {
      this.#world.note(this.name, 'delivered', packet)
      this.#tcp.receive(packet)
      return
    }
    const { destination } = packet
    const socket = this.#udp.find(destination) ?? this.#memberAt(destination)
    if (socket !== undefined) {
      this.#world.note(this.name, 'delivered', packet)
      socket.receive(packet)
      return
    }
    this.#world.note(this.name, 'no listener', packet)
    const report = packet.report('port-unreachable', destination.withPort(0))
    if (report !== undefined && this.#options.sendsIcmp !== false) this.transmit(report)
  }

  #deliverError(packet: Packet): void {
    const { error } = packet
    if (error === undefined) return
    this.#world.note(this.name, 'delivered', packet)
    const code = icmpCodes[error.reason]
    if (error.protocol === 'tcp') this.#tcp.unreachable(error.source, error.destination, code)
    else if (this.#options.reportsIcmp) this.#udp.find(error.source)?.sendFailed(code)
  }

  #deliverMulticast(packet: Packet): void {
    for (const member of this.#members) {
      // As on Linux: a socket bound to an address of the host hears what is for that address, and no group.
      if (!isWildcard(member.local) || member.local.port !== packet.destination.port) continue
      if (!member.groups.some((group) => isSameIp(group, packet.destination))) continue
      this.#world.note(this.name, 'delivered', packet)
      member.receive(packet)
    }
  }

  #bind(socket: SimUdpSocket, { address, multicastGroups }: UdpBindOptions): TransportAddress | string {
    if (!isWildcard(address) && !isLoopback(address) && !this.#hasAddress(address)) return 'EADDRNOTAVAIL'
    if (multicastGroups !== undefined) {
      this.#members = [...this.#members, socket]
      return address
    }
    const local = this.#udp.choose(address, this.#internal)
    if (local === undefined) return 'EADDRINUSE'
    this.#udp.add(local, socket)
    return local
  }

  #release(socket: SimUdpSocket): void {
    if (this.#members.includes(socket)) this.#members = this.#members.filter((one) => one !== socket)
    else this.#udp.remove(socket.local)
  }

  #memberAt(destination: TransportAddress): SimUdpSocket | undefined {
    return this.#members.find(
      ({ local }) => local.port === destination.port && (isWildcard(local) || isSameIp(local, destination)),
    )
  }

  #hasAddress(ip: TransportAddress): boolean {
    return this.#portOf(ip) !== undefined
  }

  #portOf(ip: TransportAddress): Port | undefined {
    for (const { port } of this.#interfaces) {
      if (port.isUp && port.addresses.some((address) => isSameIp(address, ip))) return port
    }
    return undefined
  }

  #interfacesChanged(): void {
    for (const callback of this.#watchers) callback()
  }
}

const icmpCodes: Readonly<Record<IcmpReason, string>> = {
  'port-unreachable': 'ECONNREFUSED',
  'host-unreachable': 'EHOSTUNREACH',
  prohibited: 'EHOSTUNREACH',
  'time-exceeded': 'EHOSTUNREACH',
  'packet-too-big': 'EMSGSIZE',
}

function isLoopback(ip: TransportAddress): boolean {
  return isIPv4(ip) ? ip.d >>> 24 === 127 : ip.a === 0 && ip.b === 0 && ip.c === 0 && ip.d === 1
}

/** An address in the place of a name is its own answer, as the system's resolver has it. */
function literalAnswer({ name, type }: DnsQuery): DnsAnswer | undefined {
  if (type !== 'A' && type !== 'AAAA') return undefined
  if (!/^[\d.]+$|:/.test(name)) return undefined
  const address = TransportAddress.of(name, 0)
  if ((address.family === 'IPv4') !== (type === 'A')) return { type: 'failed', reason: 'ENOTFOUND' }
  return { type: 'addresses', addresses: [address] }
}
