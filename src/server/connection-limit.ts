/** How many connections one /32 or /64 has open: its share of what a server can hold. */

import { AddressTable } from '../core/address-table.ts'
import { isIPv4 } from '../core/ip.ts'
import type { AddressWords } from '../core/transport-address.ts'

export class ConnectionLimit {
  readonly #limit: number
  readonly #counts: AddressTable<{ open: number }>

  /** `limit` is for each prefix; 0 is no limit. `seed` is any 32-bit number that remote hosts cannot know. */
  constructor(limit: number, seed: number) {
    this.#limit = limit
    this.#counts = new AddressTable(seed)
  }

  /** Whether one more may come from there; if so, it is counted until it is released. */
  admit(source: AddressWords): boolean {
    const prefix = prefixOf(source)
    const count = this.#counts.getIp(0, prefix)
    if (count === undefined) {
      this.#counts.setIp(0, prefix, { open: 1 })
      return true
    }
    if (this.#limit > 0 && count.open >= this.#limit) return false
    count.open++
    return true
  }

  release(source: AddressWords): void {
    const prefix = prefixOf(source)
    const count = this.#counts.getIp(0, prefix)
    if (count === undefined) return
    count.open--
    if (count.open === 0) this.#counts.deleteIp(0, prefix)
  }
}

function prefixOf(source: AddressWords): AddressWords {
  return isIPv4(source) ? source : { a: source.a, b: source.b, c: 0, d: 0, port: 0 }
}
