/** A request whose sender is being looked up. */

import { unscheduled } from '../core/deadlines.ts'
import type { Datagram, SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import { TransportAddress } from '../core/transport-address.ts'

export class PendingAuthorization {
  readonly kind = 'authorization'
  readonly id: number
  readonly socket: SocketId
  readonly source: TransportAddress
  /** A copy of the whole message. */
  readonly bytes: Uint8Array
  deadline: Instant
  heapIndex: number = unscheduled

  constructor(
    id: number,
    { socket, source }: Pick<Datagram, 'socket' | 'source'>,
    bytes: Uint8Array,
    now: Instant,
  ) {
    this.id = id
    this.socket = socket
    this.source = TransportAddress.from(source)
    this.bytes = bytes
    this.deadline = now
  }
}
