/**
 * The alternate addresses of NAT behavior discovery (RFC 5780 §6): two IP addresses with two ports each, and which of
 * the four a socket has. Changing the address or the port is flipping a bit of its place among them. The second address
 * may be a partner's, on another machine: then only two of the four have sockets here.
 */

import type { SocketId } from '../core/sans-io.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { PartnerOptions } from './partner/options.ts'
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
  /** Which partner has the second address; undefined: it is ours as well. */
  readonly partner: number | undefined
}

interface Group extends AlternateAddresses {
  /** Of a partner's group the first two only, while the partner is not there. */
  advertised: readonly TransportAddress[]
  readonly sockets: SocketId[]
  readonly partner: number | undefined
}

export class BehaviorDiscovery {
  readonly #groups: readonly Group[]
  readonly #places = new Map<SocketId, { group: Group; index: number }>()

  constructor(alternates: readonly AlternateAddresses[], partners: readonly PartnerOptions[] = []) {
    this.#groups = [
      ...partners.map(({ bound, addresses }, partner) => {
        return { transport: 'udp' as const, bound, advertised: addresses, sockets: [], partner }
      }),
      ...alternates.map((group) => ({ ...group, sockets: [], partner: undefined })),
    ]
  }

  /** A listening socket of that transport, UDP or not. */
  listening(socket: SocketId, local: TransportAddress, transport: ClientTransport): void {
    const found = this.#find(local, transport)
    if (found === undefined) return
    found.group.sockets[found.index] = socket
    this.#places.set(socket, found)
  }

  /** A client has connected to one of the addresses. */
  streamOpened(socket: SocketId, local: TransportAddress, transport: ClientTransport): void {
    const found = this.#find(local, transport)
    if (found !== undefined) this.#places.set(socket, found)
  }

  streamClosed(socket: SocketId): void {
    this.#places.delete(socket)
  }

  /** The socket's place, once all four are there; undefined for a socket that has no alternates. */
  placeOf(socket: SocketId): Place | undefined {
    const found = this.#places.get(socket)
    if (found === undefined) return undefined
    const { group, index } = found
    const { advertised, sockets, partner } = group
    const isOpen = group.bound.every((_, at) => sockets[at] !== undefined)
    return isOpen && advertised.length === 4 ? { index, advertised, sockets, partner } : undefined
  }

  /** The partner is there, with these two addresses, or not any more. */
  setPartner(partner: number, addresses: readonly TransportAddress[] | undefined): void {
    const group = this.#groupOf(partner)
    if (group !== undefined) group.advertised = [...group.advertised.slice(0, 2), ...(addresses ?? [])]
  }

  /** Which partner the socket's datagrams of a link are of, and which of its two ports it has. */
  partnerPlace(socket: SocketId): { readonly partner: number; readonly index: number } | undefined {
    const { group, index = 0 } = this.#places.get(socket) ?? {}
    return group?.partner === undefined ? undefined : { partner: group.partner, index }
  }

  /** What our first or second port of that pair is served by. */
  partnerSocket(partner: number, index: number): SocketId | undefined {
    return this.#groupOf(partner)?.sockets[index]
  }

  #groupOf(partner: number): Group | undefined {
    return this.#groups.find((group) => group.partner === partner)
  }

  #find(local: TransportAddress, transport: ClientTransport): { group: Group; index: number } | undefined {
    for (const group of this.#groups) {
      const index = group.bound.findIndex((address) => address.equals(local))
      if (group.transport === transport && index >= 0) return { group, index }
    }
    return undefined
  }
}
