/**
 * Client transactions (RFC 8489 §6.2): which requests wait for a response, when each is to be sent again, and when
 * it has failed. Knows bytes and times, and nothing of what is asked.
 */

import { Deadlines, type Expiring, unscheduled } from '../core/deadlines.ts'
import { type Instant, later } from '../core/time.ts'

export interface TransactionTiming {
  /** RTO: the first interval, which doubles with every retransmission. */
  readonly rtoMs: number
  /** Rc: how often a request is sent, the first time included. */
  readonly requestCount: number
  /** Rm: the last one is waited for this many times the first interval. */
  readonly lastWaitFactor: number
  /** Ti: how long a request over TCP or TLS is waited for. */
  readonly reliableTimeoutMs: number
}

/** RFC 8489 §6.2.1, §6.2.2: both ways a transaction fails after 39.5 seconds. */
export const defaultTiming: TransactionTiming = {
  rtoMs: 500,
  requestCount: 7,
  lastWaitFactor: 16,
  reliableTimeoutMs: 39_500,
}

/** A request on its way. Others only read it. */
export interface Transaction<Context> extends Expiring {
  /** 12 bytes. */
  readonly id: Uint8Array
  /** The encoded request, the same for every time it is sent. */
  readonly bytes: Uint8Array
  readonly context: Context
  readonly startedAt: Instant
  readonly rtoMs: number
  sentCount: number
}

export type TransactionDue<Context> =
  | { readonly type: 'retransmit'; readonly transaction: Transaction<Context> }
  | { readonly type: 'timed-out'; readonly transaction: Transaction<Context> }

export class Transactions<Context> {
  readonly #isReliable: boolean
  readonly #timing: TransactionTiming
  readonly #byId = new Map<string, Transaction<Context>>()
  readonly #deadlines = new Deadlines<Transaction<Context>>()

  /** `isReliable`: the transport retransmits by itself. */
  constructor(isReliable: boolean, timing: TransactionTiming) {
    this.#isReliable = isReliable
    this.#timing = timing
  }

  get size(): number {
    return this.#byId.size
  }

  get nextDeadline(): Instant | undefined {
    return this.#deadlines.next
  }

  all(): Transaction<Context>[] {
    return [...this.#byId.values()]
  }

  /** The caller sends `bytes` now. `rtoMs` is the interval to begin with. */
  begin(id: Uint8Array, bytes: Uint8Array, context: Context, rtoMs: number, now: Instant): void {
    const transaction: Transaction<Context> = {
      id,
      bytes,
      context,
      startedAt: now,
      rtoMs,
      sentCount: 1,
      deadline: now,
      heapIndex: unscheduled,
    }
    this.#byId.set(keyOf(id), transaction)
    this.#deadlines.schedule(transaction, later(now, this.#waitMs(transaction)))
  }

  /** The transaction that a response with this ID belongs to. */
  find(id: Uint8Array): Transaction<Context> | undefined {
    return this.#byId.get(keyOf(id))
  }

  /** Forgets the transaction: it is answered or given up. */
  end(transaction: Transaction<Context>): void {
    this.#byId.delete(keyOf(transaction.id))
    this.#deadlines.cancel(transaction)
  }

  /** What is due at `now`, one thing a call. To retransmit is the caller's part; what has timed out has ended. */
  takeDue(now: Instant): TransactionDue<Context> | undefined {
    const transaction = this.#deadlines.takeDue(now)
    if (transaction === undefined) return undefined
    if (this.#isReliable || transaction.sentCount >= this.#timing.requestCount) {
      this.end(transaction)
      return { type: 'timed-out', transaction }
    }
    transaction.sentCount++
    this.#deadlines.schedule(transaction, later(now, this.#waitMs(transaction)))
    return { type: 'retransmit', transaction }
  }

  /** From the sending that `sentCount` has just counted to what comes next. */
  #waitMs({ sentCount, rtoMs }: Transaction<Context>): number {
    if (this.#isReliable) return this.#timing.reliableTimeoutMs
    if (sentCount >= this.#timing.requestCount) return rtoMs * this.#timing.lastWaitFactor
    return rtoMs * 2 ** (sentCount - 1)
  }
}

/** Karn's algorithm (RFC 8489 §6.2.1): the round trip, unless it is not known which sending was answered. */
export function roundTripMs(transaction: Transaction<unknown>, now: Instant): number | undefined {
  return transaction.sentCount === 1 ? now - transaction.startedAt : undefined
}

function keyOf(id: Uint8Array): string {
  return String.fromCharCode(...id)
}
