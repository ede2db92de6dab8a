/** Where user data goes. The driver sends by it and counts on it; the agent is not asked for each packet. */

import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { PairCounters } from './pair-counters.ts'

/** One object per pair, so that whoever keeps it can compare references. */
export class SendPath {
  readonly socket: SocketId
  readonly destination: TransportAddress
  readonly #counters: PairCounters

  constructor(socket: SocketId, destination: TransportAddress, counters: PairCounters) {
    this.socket = socket
    this.destination = destination
    this.#counters = counters
  }

  /** A packet of user data has been handed to the socket. */
  countSent(bytes: number, now: Instant): void {
    this.#counters.packetsSent++
    this.#counters.bytesSent += bytes
    this.#counters.lastPacketSentAt = now
  }

  /** A packet of user data could not be handed to the socket. */
  countDiscarded(bytes: number): void {
    this.#counters.packetsDiscardedOnSend++
    this.#counters.bytesDiscardedOnSend += bytes
  }
}
