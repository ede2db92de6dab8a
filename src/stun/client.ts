/**
 * A STUN client without a socket (RFC 8489 §6, §9): requests in, whole messages to transmit out, and for each request
 * one answer or one failure. Serves one local socket or connection; whoever owns that demultiplexes and frames.
 */

import { Deadlines, type Expiring, unscheduled } from '../core/deadlines.ts'
import { OutputQueue } from '../core/output-queue.ts'
import type { Random } from '../core/random.ts'
import { earliest, type Instant, later } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import { attributeName, isComprehensionRequired } from './attributes.ts'
import { ClientAuthentication, type Signature } from './client-authentication.ts'
import type { RequestId, StunClientOptions, StunClientOutput, StunRequest } from './client-contract.ts'
import { rejectionOf, type StunFailure } from './client-failure.ts'
import { encodeMessage } from './encode.ts'
import { checkFingerprint } from './integrity.ts'
import { decodeMessage, type Message } from './message.ts'
import { RttEstimator } from './rtt.ts'
import {
  defaultTiming,
  roundTripMs,
  type Transaction,
  Transactions,
  type TransactionTiming,
} from './transaction.ts'

/** Limit: challenges met for one request. A server with one-time nonces needs two, one that loops is left. */
const maxChallenges = 4
/** RFC 8489 §6.3.4: how often a request is sent again after an error of class 5. */
const maxServerErrors = 4
/** RFC 8656 §7.4: it has its own rule, which is not to ask again at once. */
const insufficientCapacity = 508

interface PendingRequest<Context> extends Expiring {
  readonly id: RequestId
  readonly request: StunRequest<Context>
  challenges: number
  serverErrors: number
  /** What was wrong with the responses that were passed over; told if no other comes. */
  suspicion: 'integrity-violated' | 'bid-down' | undefined
}

interface Sending<Context> {
  readonly pending: PendingRequest<Context>
  readonly signature: Signature
}

export class StunClient<Context = undefined> {
  readonly #random: Random
  readonly #timing: TransactionTiming
  readonly #isReliable: boolean
  readonly #maxOutstanding: number
  readonly #pacingMs: number
  readonly #fingerprint: boolean
  readonly #authentication: ClientAuthentication
  readonly #transactions: Transactions<Sending<Context>>
  readonly #waiting: PendingRequest<Context>[] = []
  /** Requests that are sent again after an error of class 5, when their time has come. */
  readonly #delayed = new Deadlines<PendingRequest<Context>>()
  readonly #outputs = new OutputQueue<StunClientOutput<Context>>()
  #server: TransportAddress
  #rtt = new RttEstimator()
  #lastId = 0
  #declines = false
  #nextStart: Instant | undefined

  constructor(options: StunClientOptions, random: Random) {
    this.#random = random
    this.#server = options.server
    this.#isReliable = options.isReliable
    this.#timing = { ...defaultTiming, ...options.timing }
    this.#maxOutstanding = options.maxOutstanding ?? 10
    this.#pacingMs = options.pacingMs ?? 0
    this.#fingerprint = options.fingerprint ?? false
    this.#authentication = new ClientAuthentication(options.credentials)
    this.#transactions = new Transactions(options.isReliable, this.#timing)
  }

  get server(): TransportAddress {
    return this.#server
  }

  /** The smoothed round-trip time to the server in milliseconds; undefined while it is not known. */
  roundTripMs(now: Instant): number | undefined {
    return this.#rtt.smoothedMs(now)
  }

  /** Asks. The answer or the failure comes as an output, exactly one of them unless it is cancelled. */
  request(request: StunRequest<Context>, now: Instant): RequestId {
    const id = ++this.#lastId as RequestId
    this.#enqueue(
      {
        id,
        request,
        challenges: 0,
        serverErrors: 0,
        suspicion: undefined,
        deadline: now,
        heapIndex: unscheduled,
      },
      now,
    )
    return id
  }

  /** Forgets a request: nothing more is heard of it. */
  cancel(id: RequestId, now: Instant): void {
    const index = this.#waiting.findIndex((pending) => pending.id === id)
    if (index >= 0) this.#waiting.splice(index, 1)
    for (const transaction of this.#transactions.all()) {
      if (transaction.context.pending.id === id) this.#transactions.end(transaction)
    }
    for (const pending of this.#delayed.all()) if (pending.id === id) this.#delayed.cancel(pending)
    this.#startWaiting(now)
  }

  /** Takes a whole message. False when it is not a response to one of our requests, and has been left alone. */
  handleDatagram(bytes: Uint8Array, source: AddressWords, now: Instant): boolean {
    const message = decodeMessage(bytes)
    return typeof message !== 'string' && this.handleMessage(message, source, now)
  }

  /** As `handleDatagram`, for who has decoded it already. */
  handleMessage(response: Message, source: AddressWords, now: Instant): boolean {
    if (response.class !== 'success' && response.class !== 'error') return false
    const transaction = this.#transactions.find(response.transactionId)
    if (transaction === undefined) return false
    const { request } = transaction.context.pending
    // What comes from elsewhere, or answers another method, is not ours (§6.3, RFC 8445 §7.2.5.2.1).
    if (response.method !== request.method) return false
    if (request.anySource !== true && !(request.destination ?? this.#server).equals(source)) return false
    if (response.fingerprintOffset >= 0 && !checkFingerprint(response)) return false
    this.#handleResponse(transaction, response, source, now)
    return true
  }

  handleTimeout(now: Instant): void {
    for (
      let due = this.#transactions.takeDue(now);
      due !== undefined;
      due = this.#transactions.takeDue(now)
    ) {
      const { pending } = due.transaction.context
      if (due.type === 'retransmit') this.#transmit(pending, due.transaction.bytes)
      else this.#fail(pending, { type: pending.suspicion ?? 'timed-out' })
    }
    for (let due = this.#delayed.takeDue(now); due !== undefined; due = this.#delayed.takeDue(now)) {
      this.#waiting.push(due)
    }
    this.#startWaiting(now)
  }

  pollTimeout(): Instant | undefined {
    const canStart = this.#waiting.length > 0 && this.#transactions.size < this.#maxOutstanding
    return earliest(
      this.#transactions.nextDeadline,
      earliest(this.#delayed.next, canStart ? this.#nextStart : undefined),
    )
  }

  poll(): StunClientOutput<Context> | undefined {
    return this.#outputs.take()
  }

  /** The connection could not be made, was lost, or the system says that the server cannot be reached: all fail. */
  handleTransportFailure(reason: string): void {
    for (const pending of this.#takeAll()) this.#fail(pending, { type: 'transport-failed', reason })
  }

  /** From now on a challenge ends its request: whoever closes does not begin anew. */
  declineChallenges(): void {
    this.#declines = true
  }

  /** Forgets all requests. */
  cancelAll(): void {
    this.#takeAll()
  }

  /** From now on another connection, or another server, serves. Requests and outputs that are left are forgotten. */
  reset(server: TransportAddress): void {
    this.#takeAll()
    while (this.#outputs.take() !== undefined);
    if (server.equals(this.#server)) {
      this.#authentication.resetUnlessProven()
      return
    }
    this.#authentication.reset()
    this.#rtt = new RttEstimator()
    this.#server = server
  }

  #takeAll(): PendingRequest<Context>[] {
    const all = this.#transactions.all()
    for (const transaction of all) this.#transactions.end(transaction)
    const delayed = this.#delayed.all()
    for (const pending of delayed) this.#delayed.cancel(pending)
    return [...all.map((transaction) => transaction.context.pending), ...delayed, ...this.#waiting.splice(0)]
  }

  #enqueue(pending: PendingRequest<Context>, now: Instant): void {
    this.#waiting.push(pending)
    this.#startWaiting(now)
  }

  #startWaiting(now: Instant): void {
    while (this.#transactions.size < this.#maxOutstanding) {
      if (this.#nextStart !== undefined && now < this.#nextStart) return
      const pending = this.#waiting.shift()
      if (pending === undefined) return
      this.#begin(pending, now)
      if (this.#pacingMs > 0) this.#nextStart = later(now, this.#pacingMs)
    }
  }

  #begin(pending: PendingRequest<Context>, now: Instant): void {
    const { method, attributes, destination } = pending.request
    const signature = destination === undefined ? this.#authentication.sign() : withoutCredentials
    const transactionId = this.#random.bytes(12)
    const bytes = encodeMessage(
      { class: 'request', method, transactionId, attributes: [...attributes, ...signature.attributes] },
      { integrity: signature.integrity, fingerprint: this.#fingerprint },
    )
    const rtoMs = destination === undefined ? this.#rtt.rtoMs(this.#timing.rtoMs, now) : this.#timing.rtoMs
    this.#transactions.begin(transactionId, bytes, { pending, signature }, rtoMs, now)
    this.#transmit(pending, bytes)
  }

  #transmit({ request }: PendingRequest<Context>, bytes: Uint8Array): void {
    this.#outputs.push({ type: 'transmit', destination: request.destination ?? this.#server, bytes })
  }

  #handleResponse(
    transaction: Transaction<Sending<Context>>,
    response: Message,
    source: AddressWords,
    now: Instant,
  ): void {
    const { pending, signature } = transaction.context
    const isToServer = pending.request.destination === undefined
    const verdict = isToServer ? this.#authentication.judge(response, signature) : 'genuine'
    if (verdict === 'discard') return
    // Over UDP anybody may have sent it, ahead of the server: the right one may come yet (§9.2.5).
    const isForgeable = !this.#isReliable && signature.integrity.length > 0
    if (isForgeable && (verdict === 'tampered' || verdict === 'bid-down')) {
      pending.suspicion = verdict === 'tampered' ? 'integrity-violated' : 'bid-down'
      return
    }
    this.#transactions.end(transaction)
    const roundTrip = roundTripMs(transaction, now)
    if (roundTrip !== undefined && isToServer) this.#rtt.sample(roundTrip, now)
    switch (verdict) {
      case 'genuine':
        this.#handleGenuine(pending, response, source, roundTrip, now)
        break
      case 'retry':
        this.#meetChallenge(pending, response, now)
        break
      case 'tampered':
        this.#fail(pending, { type: 'integrity-violated' })
        break
      default:
        this.#fail(pending, { type: verdict })
    }
    this.#startWaiting(now)
  }

  /** The challenge is met at once, ahead of requests that wait: they would only meet it as well. */
  #meetChallenge(pending: PendingRequest<Context>, response: Message, now: Instant): void {
    if (!this.#declines && ++pending.challenges <= maxChallenges) this.#begin(pending, now)
    else this.#fail(pending, rejectionOf(response) ?? noErrorCode)
  }

  /** §6.3.3, §6.3.4. */
  #handleGenuine(
    pending: PendingRequest<Context>,
    response: Message,
    source: AddressWords,
    roundTrip: number | undefined,
    now: Instant,
  ): void {
    const { id, request } = pending
    const unknown = response
      .types()
      .find((type) => isComprehensionRequired(type) && attributeName(type) === undefined)
    if (unknown !== undefined) {
      const problem = `the response has the attribute 0x${unknown.toString(16).padStart(4, '0')}, which is not known here`
      this.#fail(pending, { type: 'bad-response', problem })
    } else if (response.class === 'success') {
      const { context } = request
      this.#outputs.push({ type: 'answered', request: id, context, response, source, roundTripMs: roundTrip })
    } else {
      const rejection = rejectionOf(response)
      if (rejection === undefined) this.#fail(pending, noErrorCode)
      else if (isTransient(rejection.code) && pending.serverErrors < maxServerErrors) {
        pending.serverErrors++
        this.#delayed.schedule(pending, later(now, this.#timing.rtoMs * 2 ** pending.serverErrors))
      } else this.#fail(pending, rejection)
    }
  }

  #fail({ id, request }: PendingRequest<Context>, failure: StunFailure): void {
    this.#outputs.push({ type: 'failed', request: id, context: request.context, failure })
  }
}

const withoutCredentials: Signature = { attributes: [], integrity: [], realm: undefined }

const noErrorCode: StunFailure = { type: 'bad-response', problem: 'the error response has no ERROR-CODE' }

function isTransient(code: number): boolean {
  return code >= 500 && code <= 599 && code !== insufficientCapacity
}
