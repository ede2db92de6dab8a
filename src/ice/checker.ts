/** Sends the checks of one generation and takes their responses (RFC 8445 §7.2). */

import { Deadlines } from '../core/deadlines.ts'
import type { SocketId } from '../core/sans-io.ts'
import { type Instant, later } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import { checkIntegrity } from '../stun/integrity.ts'
import type { Message } from '../stun/message.ts'
import { encodeCheck, transactionKey } from './binding.ts'
import type { CandidatePair, PairFailure } from './candidate-pair.ts'
import { Check, type CheckKind, checkTimeoutMs, minimumRtoMs } from './check.ts'
import type { Generation } from './generation.ts'
import type { Session } from './session.ts'

export interface CheckListener {
  /** An authenticated success from where the request went to. `mapped` is how the peer sees us. */
  succeeded(pair: CandidatePair, check: Check, mapped: TransportAddress, now: Instant): void
  failed(
    pair: CandidatePair,
    check: Check,
    failure: PairFailure,
    detail: string | undefined,
    now: Instant,
  ): void
  roleConflict(pair: CandidatePair, check: Check): void
  consentRevoked(pair: CandidatePair, now: Instant): void
}

export class Checker {
  readonly #session: Session
  readonly #generation: Generation
  readonly #listener: CheckListener
  readonly #checks = new Map<string, Check>()
  readonly #deadlines = new Deadlines<Check>()

  constructor(session: Session, generation: Generation, listener: CheckListener) {
    this.#session = session
    this.#generation = generation
    this.#listener = listener
  }

  get nextDeadline(): Instant | undefined {
    return this.#deadlines.next
  }

  owns(transactionId: Uint8Array): boolean {
    return this.#checks.has(transactionKey(transactionId))
  }

  /** Sends a request on a pair that has a socket. `nomination` is undefined for a check that nominates nothing. */
  send(pair: CandidatePair, kind: CheckKind, nomination: number | undefined, now: Instant): void {
    const { role, tiebreaker, random } = this.#session
    const transactionId = random.bytes(12)
    const bytes = encodeCheck(
      {
        transactionId,
        username: `${this.#generation.remote!.ufrag}:${this.#generation.credentials.ufrag}`,
        priority: pair.local.checkPriority,
        role,
        tiebreaker,
        useCandidate: nomination !== undefined,
        nomination: nomination === 0 ? undefined : nomination,
      },
      this.#generation.remoteKey!,
    )
    const id = transactionKey(transactionId)
    const rtoMs = kind === 'consent' || kind === 'probe' ? minimumRtoMs : this.#rtoMs()
    const check = new Check({ id, kind, pair, role, nomination, bytes, sentAt: now, rtoMs })
    this.#checks.set(id, check)
    this.#deadlines.schedule(check, later(now, this.#firstWaitMs(check)))
    if (kind === 'check') {
      if (pair.check !== undefined) pair.check.isCancelled = true
      pair.check = check
      pair.state = 'in-progress'
      pair.checkedAt ??= now
    }
    if (kind === 'consent') pair.counters.consentRequestsSent++
    pair.counters.requestsSent++
    pair.counters.lastPacketSentAt = now
    this.#session.transmit(pair.socket!, pair.remote.address, bytes, kind)
  }

  handleResponse(message: Message, socket: SocketId, source: AddressWords, now: Instant): 'stun' | 'dropped' {
    const check = this.#checks.get(transactionKey(message.transactionId))
    if (check === undefined) return this.#session.drop('unknown-transaction')
    const { pair } = check
    if (!checkIntegrity(message, this.#generation.remoteKey!)) {
      // Not to be believed, but good to know when the pair has failed for silence.
      const code = message.get('ERROR-CODE')?.code
      if (code !== undefined) pair.failureDetail = `unauthenticated error ${code}`
      return this.#session.drop('unauthenticated')
    }
    const mapped = message.get('XOR-MAPPED-ADDRESS')
    if (message.class === 'success' && mapped === undefined) return this.#session.drop('malformed')
    this.#end(check)
    pair.counters.responsesReceived++
    // A retransmitted request leaves open which transmission was answered (Karn's rule).
    if (check.transmissions === 1) pair.counters.measured(now - check.sentAt)
    if (socket !== pair.socket || !pair.remote.address.equals(source)) {
      this.#fail(check, 'non-symmetric-response', undefined, now)
      return 'stun'
    }
    pair.counters.lastPacketReceivedAt = now
    if (mapped !== undefined && message.class === 'success') {
      this.#listener.succeeded(pair, check, mapped, now)
    } else this.#handleError(message.get('ERROR-CODE')?.code ?? 0, check, now)
    return 'stun'
  }

  /** Retransmits what is due, and gives up what is over. */
  handleTimeout(now: Instant): void {
    for (;;) {
      const check = this.#deadlines.takeDue(now)
      if (check === undefined) return
      // What was cancelled may still be answered, on a path longer than the RTO (RFC 8445 §7.3.1.4).
      const end = later(check.sentAt, checkTimeoutMs)
      if (check.isCancelled && now < end) {
        this.#deadlines.schedule(check, end)
        continue
      }
      if (check.isCancelled || check.isOnce || check.isExhausted || this.#isReliable(check)) {
        this.#checks.delete(check.id)
        if (!check.isCancelled) this.#fail(check, 'timeout', check.pair.failureDetail, now)
        continue
      }
      check.transmissions++
      check.pair.counters.retransmissionsSent++
      check.pair.counters.lastPacketSentAt = now
      this.#deadlines.schedule(check, later(now, check.waitMs))
      this.#session.transmit(check.pair.socket!, check.pair.remote.address, check.bytes, 'retransmission')
    }
  }

  #handleError(code: number, check: Check, now: Instant): void {
    const { pair } = check
    if (code === 487) this.#listener.roleConflict(pair, check)
    else if (code === 403 && pair.consentUntil !== undefined) this.#listener.consentRevoked(pair, now)
    else this.#fail(check, 'error-response', `error ${code}`, now)
  }

  /** A consent check that fails is one that was not answered: only time takes consent away (RFC 7675 §5.1). */
  #fail(check: Check, failure: PairFailure, detail: string | undefined, now: Instant): void {
    if (check.isCancelled || check.isOnce) return
    this.#listener.failed(check.pair, check, failure, detail, now)
  }

  #end(check: Check): void {
    this.#checks.delete(check.id)
    this.#deadlines.cancel(check)
  }

  #isReliable(check: Check): boolean {
    return check.pair.local.protocol === 'tcp'
  }

  #firstWaitMs(check: Check): number {
    if (check.isOnce) return this.#session.options.consentExpiryMs
    return this.#isReliable(check) ? checkTimeoutMs : check.waitMs
  }

  /**
   * RFC 8445 §14.3 asks for MAX(500 ms, Ta × N × (Waiting + In-Progress)) and lets agents do otherwise: with N twice in
   * the product a long list would be retransmitted after minutes. One round of Ta over all of them is what it is for.
   */
  #rtoMs(): number {
    return Math.max(minimumRtoMs, this.#generation.pacingMs * this.#generation.set.activePairs)
  }
}
