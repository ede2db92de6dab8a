/** External ports that a remote address has taken, by sending there before anybody inside had sent to it. */

import { AddressTable } from '../core/address-table.ts'
import { type Instant, later } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { type Packet, type ProtocolName, protocols } from './packet.ts'

export class PoisonedPorts {
  readonly #lifetimeMs: number
  /** By external address, then by remote address: until when. */
  readonly #table = new AddressTable<AddressTable<Instant>>(0)

  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs
  }

  /** Has the port taken by the sender of a packet that came in from outside unasked. */
  add({ protocol, source, destination }: Packet, now: Instant): void {
    const scope = protocols[protocol]
    let table = this.#table.get(scope, destination)
    if (table === undefined) {
      table = new AddressTable(0)
      this.#table.set(scope, destination, table)
    }
    table.set(0, source, later(now, this.#lifetimeMs))
  }

  has(protocol: ProtocolName, external: TransportAddress, remote: TransportAddress, now: Instant): boolean {
    const until = this.#table.get(protocols[protocol], external)?.get(0, remote)
    return until !== undefined && until > now
  }
}
