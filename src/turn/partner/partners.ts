/**
 * An engine's part in a pair of partners (ADR 14): it knows what is theirs among the datagrams, hands them and the requests
 * to forward to whoever keeps the link, and sends and answers what that one says.
 */

import { type Datagram, datagramBytes } from '../../core/sans-io.ts'
import { type Instant, later } from '../../core/time.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import type { BehaviorDiscovery, Place } from '../behavior-discovery.ts'
import { discoveryAnswer } from '../methods/binding-answer.ts'
import type { ServerState } from '../request.ts'
import { isSharedClient } from './clients.ts'
import { decodePartnerDatagram, type PartnerRequest, partnerByte } from './datagram.ts'
import type { PartnerOptions } from './options.ts'

/** Limit: datagrams of a link, and requests to forward, that an engine hands on in a second. */
const handedOnPerSecond = 1000

export class Partners {
  readonly #options: readonly PartnerOptions[]
  readonly #state: ServerState
  readonly #behavior: BehaviorDiscovery
  readonly #received = new Pace(handedOnPerSecond)
  readonly #forwarded = new Pace(handedOnPerSecond)
  #keys: readonly Uint8Array[]

  constructor(options: readonly PartnerOptions[], state: ServerState, behavior: BehaviorDiscovery) {
    this.#options = options
    this.#state = state
    this.#behavior = behavior
    this.#keys = options[0]?.keys ?? []
  }

  setKeys(keys: readonly Uint8Array[]): void {
    this.#keys = keys
  }

  /** Whether it is a datagram of a link, or would be one: then nobody else shall read it. */
  takes(datagram: Datagram, now: Instant): boolean {
    const { bytes, start, end, socket, source } = datagram
    if (this.#options.length === 0 || start === end || bytes[start] !== partnerByte) return false
    const place = this.#behavior.partnerPlace(socket)
    const remote = place === undefined ? undefined : this.#options[place.partner]?.remote[place.index]
    if (place === undefined || remote?.equals(source) !== true) return false
    const { counters, outputs } = this.#state
    const whole = datagramBytes(datagram).slice()
    // Here already, so that a flood of forged ones costs other threads nothing.
    if (decodePartnerDatagram(whole, this.#keys) === undefined) counters.drops['bad-partner']++
    else if (this.#received.admit(now)) {
      outputs.push({ type: 'partner-datagram', link: place.partner, lane: place.index, bytes: whole })
    }
    return true
  }

  /** The place, unless it is one of a pair that does not serve this client: for it there is one address then. */
  placeFor(place: Place | undefined, client: TransportAddress): Place | undefined {
    if (place?.partner === undefined) return place
    const [own] = place.advertised
    return own !== undefined && isSharedClient(client, own, this.#state.options.peerPolicy)
      ? place
      : undefined
  }

  /** A request that has passed all that an answer from here would have had to pass. */
  forward(link: number, request: PartnerRequest, now: Instant): void {
    if (!this.#forwarded.admit(now)) return
    this.#state.counters.requestsForwarded++
    this.#state.outputs.push({ type: 'partner-forward', link, request })
  }

  send(link: number, lane: number, bytes: Uint8Array): void {
    const socket = this.#behavior.partnerSocket(link, lane)
    const destination = this.#options[link]?.remote[lane]
    if (socket === undefined || destination === undefined) return
    this.#state.outputs.push({ type: 'transmit', socket, destination, bytes })
  }

  /** Answers what a client has asked the partner, if it is one that we may write to. `admits` counts the answer. */
  answer(link: number, request: PartnerRequest, admits: (from: Place['sockets'][number]) => boolean): void {
    const { peers, counters, answers, options } = this.#state
    const { client, destination, transactionId, askedPort, answerPort, paddedLength } = request
    const own = this.#options[link]?.addresses
    const socket = this.#behavior.partnerSocket(link, answerPort)
    if (own === undefined || socket === undefined) return
    const isOurs = peers.isListening(client) || peers.isListening(destination)
    const isNowhere = client.port === 0 || destination.port === 0
    if (isOurs || isNowhere || !isSharedClient(client, own[0], options.peerPolicy)) {
      counters.drops['bad-source']++
      return
    }
    if (!admits(socket)) return
    counters.bindingResponses++
    counters.partnerAnswers++
    const outcome = discoveryAnswer({
      ...{ client, paddedLength },
      origin: own[answerPort]!,
      other: own[askedPort ^ 1]!,
    })
    answers.answer({ socket, client: destination, method: 'Binding', transactionId, key: undefined }, outcome)
  }
}

/** So many a second, and as many at once: the generic cell rate algorithm. */
class Pace {
  readonly #intervalMs: number
  #paidUntil = 0 as Instant

  constructor(perSecond: number) {
    this.#intervalMs = 1000 / perSecond
  }

  admit(now: Instant): boolean {
    const from = Math.max(this.#paidUntil, now) as Instant
    if (from - now > 1000) return false
    this.#paidUntil = later(from, this.#intervalMs)
    return true
  }
}
