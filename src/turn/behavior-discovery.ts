/**
 * The alternate addresses of NAT behavior discovery (RFC 5780 §6): two IP addresses with two ports each, and which of
 * the four a socket has. Changing the address or the port is flipping a bit of its place among them.
 */

import type { SocketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { ClientTransport } from './socket-numbers.ts'

export interface AlternateAddresses {
  readonly transport: ClientTransport
  /** A1:P1, A1:P2, A2:P1, A2:P2, as the sockets are bound. */
  readonly bound: readonly TransportAddress[]
  /** The same as clients reach them: behind a 1:1 NAT its public side. */
  readonly advertised: readonly TransportAddress[]
}

/** Bits of a place. */
export const changeIpBit = 2
export const changePortBit = 1

/** A socket's place among its four. */
export interface Place {
  readonly index: number
  /** What clients know the four addresses as. */
  readonly advertised: readonly TransportAddress[]
  /** The listening sockets at the four. For streams these are not what answers are sent from. */
  readonly sockets: readonly SocketId[]
}

interface Group extends AlternateAddresses {
  readonly sockets: SocketId[]
}

export class BehaviorDiscovery {
  readonly #groups: readonly Group[]
  readonly #places = new Map<SocketId, Place>()

  constructor(alternates: readonly AlternateAddresses[]) {
    this.#groups = alternates.map((group) => ({ ...group, sockets: [] }))
  }

  /** A listening socket of that transport, UDP or not. */
  listening(socket: SocketId, local: TransportAddress, transport: ClientTransport): void {
    const found = this.#find(local, transport)
    if (found === undefined) return
    const { group, index } = found
    group.sockets[index] = socket
    this.#places.set(socket, { index, advertised: group.advertised, sockets: group.sockets })
  }

  /** A client has connected to one of the addresses. */
  streamOpened(socket: SocketId, local: TransportAddress, transport: ClientTransport): void {
    const found = this.#find(local, transport)
    if (found === undefined) return
    const { group, index } = found
    this.#places.set(socket, { index, advertised: group.advertised, sockets: group.sockets })
  }

  streamClosed(socket: SocketId): void {
    this.#places.delete(socket)
  }

  /** The socket's place, once all four are there; undefined for a socket that has no alternates. */
  placeOf(socket: SocketId): Place | undefined {
    const place = this.#places.get(socket)
    const isWhole = place?.advertised.every((_, index) => place.sockets[index] !== undefined)
    return isWhole === true ? place : undefined
  }

  #find(local: TransportAddress, transport: ClientTransport): { group: Group; index: number } | undefined {
    for (const group of this.#groups) {
      const index = group.bound.findIndex((address) => address.equals(local))
      if (group.transport === transport && index >= 0) return { group, index }
    }
    return undefined
  }
}
