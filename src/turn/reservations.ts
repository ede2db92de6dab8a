/** The reservations that EVEN-PORT has made (RFC 8656 §7.2): each for one use, and gone after its time. */

import type { Deadlines } from '../core/deadlines.ts'
import type { Random } from '../core/random.ts'
import { type Instant, later } from '../core/time.ts'
import type { Allocation } from './allocation.ts'
import type { Expirable } from './allocations.ts'
import { limits } from './options.ts'
import type { RelaySocket } from './relay-sockets.ts'
import { Reservation } from './reservation.ts'

const tokenBytes = 8

export class Reservations {
  readonly #deadlines: Deadlines<Expirable>
  readonly #random: Random
  readonly #engine: number | undefined
  readonly #byToken = new Map<string, Reservation>()

  /** `engine` is who we are, of several that serve the same clients. */
  constructor(deadlines: Deadlines<Expirable>, random: Random, engine?: number) {
    this.#engine = engine
    this.#deadlines = deadlines
    this.#random = random
  }

  get size(): number {
    return this.#byToken.size
  }

  all(): Reservation[] {
    return [...this.#byToken.values()]
  }

  /** For whoever comes with the token; until then it counts for the owner of `by`. */
  reserve(relaySocket: RelaySocket, by: Allocation, now: Instant): Reservation {
    const token = this.#random.bytes(tokenBytes)
    // With several engines a token says whose it is; 56 random bits are left.
    if (this.#engine !== undefined) token[0] = this.#engine
    const reservation = new Reservation(token, by, relaySocket, now)
    this.#byToken.set(keyOf(reservation.token), reservation)
    this.#deadlines.schedule(reservation, later(now, limits.reservationSeconds * 1000))
    return reservation
  }

  find(token: Uint8Array, now: Instant): Reservation | undefined {
    const reservation = this.#byToken.get(keyOf(token))
    return reservation !== undefined && reservation.deadline > now ? reservation : undefined
  }

  /** It was removed for somebody who could not have it: the token is good again, for as long as it was. */
  putBack(reservation: Reservation): void {
    this.#byToken.set(keyOf(reservation.token), reservation)
    this.#deadlines.schedule(reservation, reservation.deadline)
  }

  /** The token is good no more. What becomes of the socket is the caller's. */
  remove(reservation: Reservation): void {
    this.#deadlines.cancel(reservation)
    this.#byToken.delete(keyOf(reservation.token))
  }
}

/** Which of several engines has made the token. */
export function engineOf(token: Uint8Array): number {
  return token[0] ?? 0
}

function keyOf(token: Uint8Array): string {
  return String.fromCharCode(...token)
}
