/** A relayed transport address that is held for who shows the token (RFC 8656 §7.2), its socket already open. */

import { unscheduled } from '../core/deadlines.ts'
import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { Allocation } from './allocation.ts'
import type { RelaySocket } from './relay-sockets.ts'

export class Reservation implements RelaySocket {
  readonly kind = 'reservation'
  /** 8 random bytes: who can show them has received them from us. */
  readonly token: Uint8Array
  /** Whose quota it counts against. */
  readonly userId: string
  /** Where that user's rate is kept in shared memory. */
  readonly rateSlot: number | undefined
  readonly socket: SocketId
  readonly local: TransportAddress
  readonly address: TransportAddress
  deadline: Instant
  heapIndex: number = unscheduled

  constructor(
    token: Uint8Array,
    { userId, rateSlot }: Pick<Allocation, 'userId' | 'rateSlot'>,
    { socket, local, address }: RelaySocket,
    now: Instant,
  ) {
    this.token = token
    this.userId = userId
    this.rateSlot = rateSlot
    this.socket = socket
    this.local = local
    this.address = address
    this.deadline = now
  }
}
