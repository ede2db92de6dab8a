/** mDNS names in place of our own host addresses, and the addresses behind those of the peer. */

import type { Host } from '../../core/host.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import { newMdnsName } from '../../ice/mdns.ts'
import { MdnsNames } from '../mdns/names.ts'

export class HostNames {
  readonly #host: Host
  readonly #mdns: MdnsNames
  readonly #names = new Map<string, string>()

  constructor(host: Host) {
    this.#host = host
    this.#mdns = new MdnsNames(host)
  }

  /** The name of an address of ours, the same for all of its ports; it is answered for from now on. */
  nameOf(address: TransportAddress): string {
    const known = this.#names.get(address.ip)
    if (known !== undefined) return known
    const name = newMdnsName(this.#host.random)
    this.#names.set(address.ip, name)
    this.#mdns.announce(name, address)
    return name
  }

  /** Calls back with no address if there is none. */
  resolve(name: string, callback: (addresses: readonly TransportAddress[]) => void): void {
    this.#mdns.resolve(name, callback)
  }

  close(): void {
    this.#mdns.close()
  }
}
