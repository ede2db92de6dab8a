/** The external addresses of a NAT, and which of them an inner host gets: RFC 4787 §4.1 "IP address pooling". */

import { AddressTable } from '../core/address-table.ts'
import { isSameIp } from '../core/ip.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { NatOptions } from './nat-options.ts'
import type { SeededRandom } from './seeded-random.ts'

export class ExternalAddresses {
  readonly #pooling: NatOptions['pooling']
  readonly #random: SeededRandom
  #all: readonly TransportAddress[]
  /** By inner host. */
  #paired = new AddressTable<TransportAddress>(0)
  #next = 0

  constructor(all: readonly TransportAddress[], pooling: NatOptions['pooling'], random: SeededRandom) {
    this.#all = all
    this.#pooling = pooling
    this.#random = random
  }

  get all(): readonly TransportAddress[] {
    return this.#all
  }

  /** Has others from now on; who had one of the old ones gets a new one. */
  replace(all: readonly TransportAddress[]): void {
    this.#all = all
    this.#paired = new AddressTable(0)
  }

  has(ip: AddressWords): boolean {
    return this.#all.some((address) => isSameIp(address, ip))
  }

  /** The address for a new mapping of an inner host: its own where they are paired, in turn, and any of them otherwise. */
  choose(inner: TransportAddress): TransportAddress {
    if (this.#all.length === 1) return this.#all[0]!
    if (this.#pooling === 'arbitrary') return this.#random.pick(this.#all)
    let address = this.#paired.getIp(0, inner)
    if (address === undefined) {
      address = this.#all[this.#next++ % this.#all.length]!
      this.#paired.setIp(0, inner, address)
    }
    return address
  }
}
