/**
 * Requests that wait until somebody has looked up who sends them: 'authorize' asks, `TurnServer.authorized` tells. Only
 * who has shown a valid nonce is looked up, so nobody has us ask in the name of others.
 */

import type { Deadlines } from '../core/deadlines.ts'
import type { OutputQueue } from '../core/output-queue.ts'
import type { Datagram, SocketId } from '../core/sans-io.ts'
import { type Instant, later } from '../core/time.ts'
import type { Message } from '../stun/message.ts'
import type { Expirable } from './allocations.ts'
import type { Authentication } from './authentication.ts'
import type { ServerOutput } from './outputs.ts'
import { PendingAuthorization } from './pending-authorization.ts'

/** Limit: requests that wait. Who comes when so many do is not answered, and asks again. */
const mostPending = 4096
/** Limit: after that nobody waits for the answer any more: a client gives up after 39.5 s, having asked seven times. */
const longestWaitMs = 10_000

export class PendingAuthorizations {
  readonly #deadlines: Deadlines<Expirable>
  readonly #outputs: OutputQueue<ServerOutput>
  readonly #byId = new Map<number, PendingAuthorization>()
  /** So that a request that is sent again does not wait twice. */
  readonly #byTransaction = new Map<string, PendingAuthorization>()
  #nextId = 0

  constructor(deadlines: Deadlines<Expirable>, outputs: OutputQueue<ServerOutput>) {
    this.#deadlines = deadlines
    this.#outputs = outputs
  }

  get size(): number {
    return this.#byId.size
  }

  ask(
    message: Message,
    from: Pick<Datagram, 'socket' | 'source'>,
    { username, userHash }: Extract<Authentication, { type: 'asked' }>,
    now: Instant,
  ): void {
    if (this.#byId.size >= mostPending) return
    const pending = new PendingAuthorization(this.#nextId++, from, message.bytes.slice(), now)
    const key = keyOf(pending)
    if (this.#byTransaction.has(key)) return
    this.#byId.set(pending.id, pending)
    this.#byTransaction.set(key, pending)
    this.#deadlines.schedule(pending, later(now, longestWaitMs))
    this.#outputs.push({ type: 'authorize', id: pending.id, username, userHash })
  }

  /** The request that waited for this answer; undefined when it does not wait any more. */
  take(id: number): PendingAuthorization | undefined {
    const pending = this.#byId.get(id)
    if (pending !== undefined) this.forget(pending)
    return pending
  }

  forget(pending: PendingAuthorization): void {
    this.#deadlines.cancel(pending)
    this.#byId.delete(pending.id)
    this.#byTransaction.delete(keyOf(pending))
  }

  /** Nobody is there any more who could be answered. */
  forgetSocket(socket: SocketId): void {
    for (const pending of this.#byId.values()) if (pending.socket === socket) this.forget(pending)
  }
}

function keyOf({ socket, source, bytes }: PendingAuthorization): string {
  return `${socket} ${source} ${String.fromCharCode(...bytes.subarray(8, 20))}`
}
