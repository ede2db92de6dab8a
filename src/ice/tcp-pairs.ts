/**
 * Pairs over TCP (RFC 6544): the connection that a check needs first, connections that come in, and what becomes of them.
 * The driver frames what it sends and receives there (RFC 4571, `framing.ts`).
 */

import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { CandidatePair, PairFailure } from './candidate-pair.ts'
import type { Generation } from './generation.ts'
import type { Session } from './session.ts'

export interface TcpActions {
  /** The connection is there: the check can be sent. */
  opened(pair: CandidatePair, now: Instant): void
  failed(pair: CandidatePair, failure: PairFailure, detail: string | undefined, now: Instant): void
}

export class TcpPairs {
  readonly #session: Session
  readonly #generation: Generation
  readonly #actions: TcpActions
  readonly #opening = new Map<SocketId, CandidatePair>()

  constructor(session: Session, generation: Generation, actions: TcpActions) {
    this.#session = session
    this.#generation = generation
    this.#actions = actions
  }

  /** Asks for the connection of a pair (RFC 6544 §7.1). */
  open(pair: CandidatePair, now: Instant): void {
    const connection = this.#session.newConnection()
    this.#opening.set(connection, pair)
    pair.state = 'in-progress'
    pair.checkedAt ??= now
    this.#session.outputs.push({
      type: 'open-connection',
      connection,
      socket: pair.local.socket,
      local: pair.local.base,
      remote: pair.remote.address,
    })
  }

  /** False if the connection is not one that this generation has asked for. */
  connectionOpened(connection: SocketId, now: Instant): boolean {
    const pair = this.#opening.get(connection)
    if (pair === undefined) return false
    this.#opening.delete(connection)
    if (pair.state !== 'in-progress') {
      this.#session.outputs.push({ type: 'close-connection', connection })
      return true
    }
    this.#generation.bases.set(connection, pair.local)
    this.#generation.attach(pair, connection)
    this.#actions.opened(pair, now)
    return true
  }

  connectionFailed(connection: SocketId, reason: string, now: Instant): boolean {
    const pair = this.#opening.get(connection)
    if (pair === undefined) return false
    this.#opening.delete(connection)
    if (pair.state === 'in-progress') this.#actions.failed(pair, 'connection-failed', reason, now)
    return true
  }

  /** A connection has come in at a passive or simultaneous-open candidate; its pair is made by its first check. */
  connectionAccepted(connection: SocketId, socket: SocketId): boolean {
    const local = this.#generation.bases.get(socket)
    if (local === undefined || local.tcpType === undefined) return false
    this.#generation.bases.set(connection, local)
    return true
  }

  /**
   * The connection of a pair is over. The side that opened it opens another one, and the pair has to be checked again
   * (RFC 6544 §11.1); the other side waits for that.
   */
  connectionClosed(connection: SocketId, reason: string | undefined, now: Instant): void {
    const { bases, set } = this.#generation
    bases.delete(connection)
    for (const pair of set.pairs()) {
      if (pair.socket !== connection) continue
      const wasUsed = pair.isValid
      this.#actions.failed(pair, 'connection-closed', reason, now)
      this.#generation.detach(pair)
      if (!wasUsed || pair.local.tcpType === 'passive' || pair.isConsentLost) return
      pair.state = 'waiting'
      this.#generation.listOf(pair).enqueue(pair)
      return
    }
  }

  /** The first answer on a connection was no STUN: whoever is there is not the peer (RFC 6544 §7.1). */
  notThePeer(connection: SocketId, now: Instant): void {
    for (const pair of this.#generation.set.pairs()) {
      if (pair.socket !== connection || pair.local.protocol !== 'tcp' || pair.isAuthenticated) continue
      this.#actions.failed(pair, 'not-an-ice-peer', undefined, now)
      this.close(pair)
      return
    }
  }

  /** The pair's connection is not needed any more. */
  close(pair: CandidatePair): void {
    if (pair.local.protocol !== 'tcp' || pair.socket === undefined) return
    this.#session.outputs.push({ type: 'close-connection', connection: pair.socket })
    this.#generation.bases.delete(pair.socket)
    this.#generation.detach(pair)
  }

  /** All connections, when the generation is forgotten. */
  closeAll(): void {
    for (const pair of this.#generation.set.pairs()) this.close(pair)
    for (const connection of this.#opening.keys()) {
      this.#session.outputs.push({ type: 'close-connection', connection })
    }
    this.#opening.clear()
  }
}
