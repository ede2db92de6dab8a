/** One UDP socket for each address of the host and each component: the bases of host candidates (RFC 8445 §5.1.1.1). */

import type { InterfaceAddress } from '../../core/host.ts'
import { isSameIp } from '../../core/ip.ts'
import { randomBelow } from '../../core/random.ts'
import type { SocketId } from '../../core/sans-io.ts'
import type { AddressWords, TransportAddress } from '../../core/transport-address.ts'
import type { InputVerdict } from '../../ice/inbound.ts'
import type { ChosenInterface } from '../../ice/interfaces.ts'
import type { IceBase, IceBases, Lane } from './base.ts'
import type { TranslatedBase } from './nat64.ts'
import type { BaseSocket } from './udp-mux.ts'

/** Limit: ports tried for one socket, where they are to be in a range. */
const maxPortAttempts = 100

/** Sees packets first: answers of STUN servers are not for the agent. */
export interface ReflexiveListener {
  opened(socket: HostSocket): void
  closed(socket: HostSocket): void
  /** True if it was for the listener. */
  take(socket: HostSocket, bytes: Uint8Array, source: AddressWords): boolean
}

export class HostSockets {
  readonly #bases: IceBases
  readonly #reflexive: ReflexiveListener
  readonly #portRange: readonly [number, number] | undefined
  readonly #sockets = new Set<HostSocket>()

  constructor(
    bases: IceBases,
    reflexive: ReflexiveListener,
    portRange: readonly [number, number] | undefined,
  ) {
    this.#bases = bases
    this.#reflexive = reflexive
    this.#portRange = portRange
  }

  /** Whether some socket is neither bound nor refused yet. */
  get isPending(): boolean {
    for (const { state } of this.#sockets) if (state === 'opening') return true
    return false
  }

  /** Closes what belongs to an address that the host has no more. */
  retain(present: readonly InterfaceAddress[]): void {
    for (const socket of [...this.#sockets]) {
      const isThere = present.some(({ address }) => isSameIp(address, socket.address))
      if (!isThere) this.#drop(socket)
    }
  }

  /** Opens what is missing. */
  open(addresses: readonly ChosenInterface[]): void {
    for (const usable of addresses) {
      for (const lane of this.#bases.lanes) {
        if (this.#find(usable.address, lane) === undefined) this.#open(usable, lane)
      }
    }
  }

  close(): void {
    for (const socket of [...this.#sockets]) this.#drop(socket)
  }

  #find({ ip }: TransportAddress, lane: Lane): HostSocket | undefined {
    for (const socket of this.#sockets) if (socket.lane === lane && socket.address.ip === ip) return socket
    return undefined
  }

  #open({ address, networkCost, localPreference }: ChosenInterface, lane: Lane): void {
    const bases = this.#bases
    const ports = this.#portRange === undefined ? [0] : portsIn(this.#portRange, bases)
    const socket: HostSocket = new HostSocket(bases, address, lane, ports, {
      bound: (local) => {
        bases.gathered({
          ...lane,
          type: 'host',
          socket: socket.id!,
          address: local,
          localPreference,
          networkCost,
        })
        this.#reflexive.opened(socket)
        bases.progressed()
      },
      failed: (reason) => {
        this.#sockets.delete(socket)
        bases.bindFailed(address, reason)
        bases.progressed()
      },
      datagram: (bytes, source) => {
        if (this.#reflexive.take(socket, bytes, source)) return 'stun'
        const { id, translated } = socket
        const ipv4 = translated?.extract(source)
        if (ipv4 !== undefined && translated?.id !== undefined) {
          return bases.receive(translated.id, bytes, ipv4)
        }
        return id === undefined ? 'dropped' : bases.receive(id, bytes, source)
      },
    })
    this.#sockets.add(socket)
  }

  #drop(socket: HostSocket): void {
    this.#sockets.delete(socket)
    this.#reflexive.closed(socket)
    if (socket.translated?.id !== undefined) this.#bases.remove(socket.translated.id)
    if (socket.id === undefined) socket.close()
    else this.#bases.remove(socket.id)
  }
}

interface HostSocketHandlers {
  bound(local: TransportAddress): void
  failed(reason: string): void
  datagram(bytes: Uint8Array, source: AddressWords): InputVerdict
}

export class HostSocket implements IceBase {
  readonly address: TransportAddress
  readonly lane: Lane
  /** Undefined until it is bound. */
  id: SocketId | undefined
  local: TransportAddress | undefined
  /** What it is to IPv4 peers, behind a NAT64. */
  translated: TranslatedBase | undefined
  state: 'opening' | 'open' | 'closed' = 'opening'
  readonly #bases: IceBases
  readonly #handlers: HostSocketHandlers
  #socket: BaseSocket
  #lastDestination: AddressWords | undefined

  constructor(
    bases: IceBases,
    address: TransportAddress,
    lane: Lane,
    ports: readonly number[],
    handlers: HostSocketHandlers,
  ) {
    this.#bases = bases
    this.address = address
    this.lane = lane
    this.#handlers = handlers
    this.#socket = this.#bind(ports)
  }

  send(bytes: Uint8Array, destination: AddressWords): boolean {
    this.#lastDestination = destination
    this.#socket.send(bytes, destination)
    return true
  }

  close(): void {
    this.state = 'closed'
    this.#socket.close()
  }

  #bind(ports: readonly number[]): BaseSocket {
    const [port = 0, ...others] = ports
    return this.#bases.bindUdp(
      { address: this.address.withPort(port) },
      {
        bound: (local) => {
          this.state = 'open'
          this.local = local
          this.id = this.#bases.add(this, this.lane)
          this.#handlers.bound(local)
        },
        failed: (reason) => {
          if (this.state === 'closed') return
          if (reason === 'EADDRINUSE' && others.length > 0) this.#socket = this.#bind(others)
          else {
            this.state = 'closed'
            this.#handlers.failed(reason)
          }
        },
        datagram: (bytes, source) => this.#handlers.datagram(bytes, source),
        sendFailed: (reason) => {
          // The system does not say which packet it was: most likely the last.
          if (this.id !== undefined && this.#lastDestination !== undefined) {
            this.#bases.sendFailed(this.id, this.#lastDestination, reason)
          }
        },
      },
    )
  }
}

/** From a random one on, so that two sessions do not try the same ports in step. */
function portsIn([first, last]: readonly [number, number], { host }: IceBases): number[] {
  const count = last - first + 1
  const start = randomBelow(host.random, count)
  return Array.from({ length: Math.min(count, maxPortAttempts) }, (_, i) => first + ((start + i) % count))
}
