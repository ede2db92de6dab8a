/** Whom a mapping or a firewall lets in: RFC 4787 §5, by what has been sent out. */

import { AddressTable } from '../core/address-table.ts'
import type { AddressWords } from '../core/transport-address.ts'

/** The three behaviours of RFC 4787, for mapping (§4.1) and for filtering (§5). */
export type Dependency = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent'

/** The remote addresses that have been sent to. */
export class Contacts {
  readonly #filtering: Dependency
  readonly #table = new AddressTable<true>(0)

  constructor(filtering: Dependency) {
    this.#filtering = filtering
  }

  add(remote: AddressWords): void {
    if (this.#filtering === 'address-and-port-dependent') this.#table.set(0, remote, true)
    else if (this.#filtering === 'address-dependent') this.#table.setIp(0, remote, true)
  }

  allow(remote: AddressWords): boolean {
    switch (this.#filtering) {
      case 'endpoint-independent':
        return true
      case 'address-dependent':
        return this.#table.getIp(0, remote) === true
      case 'address-and-port-dependent':
        return this.#table.get(0, remote) === true
    }
  }
}
