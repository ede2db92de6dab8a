/** Which socket of a host a local address belongs to, and which ports are free. */

import { AddressTable } from '../core/address-table.ts'
import { isIPv4, mappedPrefix } from '../core/ip.ts'
import { type AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { SeededRandom } from './seeded-random.ts'

/** What systems take ephemeral ports from. */
const ephemeral = { first: 32_768, count: 28_232 }

export class SocketTable<Socket> {
  readonly #table = new AddressTable<Socket>(0)
  /** How many sockets a port has, by family. */
  readonly #users = new Map<number, number>()

  get size(): number {
    return this.#table.size
  }

  /** The socket bound to the address, or to the wildcard address of its family. */
  find(address: AddressWords): Socket | undefined {
    return this.#table.get(0, address) ?? this.#table.get(0, wildcardOf(address))
  }

  exact(address: AddressWords): Socket | undefined {
    return this.#table.get(0, address)
  }

  /** The address with a free port in place of port 0; undefined if it is taken, or none is free. */
  choose(address: TransportAddress, random: SeededRandom): TransportAddress | undefined {
    if (address.port !== 0) return this.#isFree(address) ? address : undefined
    const start = random.below(ephemeral.count)
    for (let i = 0; i < ephemeral.count; i++) {
      const candidate = address.withPort(ephemeral.first + ((start + i) % ephemeral.count))
      if (this.#isFree(candidate)) return candidate
    }
    return undefined
  }

  add(address: TransportAddress, socket: Socket): void {
    this.#table.set(0, address, socket)
    const key = usersKey(address)
    this.#users.set(key, (this.#users.get(key) ?? 0) + 1)
  }

  remove(address: TransportAddress): void {
    if (!this.#table.delete(0, address)) return
    const key = usersKey(address)
    const left = (this.#users.get(key) ?? 1) - 1
    if (left === 0) this.#users.delete(key)
    else this.#users.set(key, left)
  }

  /** A wildcard takes the port of all addresses of its family. */
  #isFree(address: TransportAddress): boolean {
    if (this.#users.get(usersKey(address)) === undefined) return true
    if (isWildcard(address) || this.#table.get(0, address) !== undefined) return false
    return this.#table.get(0, wildcardOf(address)) === undefined
  }
}

function usersKey(address: TransportAddress): number {
  return address.port * 2 + (isIPv4(address) ? 0 : 1)
}

export function isWildcard(address: TransportAddress): boolean {
  return address.d === 0 && address.a === 0 && address.b === 0
}

export function wildcardOf(address: AddressWords): TransportAddress {
  return new TransportAddress(0, 0, isIPv4(address) ? mappedPrefix : 0, 0, address.port)
}
