/**
 * Binding: RFC 8489 §3 and, at the alternate addresses, RFC 5780 §6.1. It needs no credentials, so an answer is as small
 * as it can be (RFC 8489 §16.1.2): what RFC 5780 adds is not there unless it is configured, and its padding never makes
 * an answer longer than the question.
 */

import type { SocketId } from '../../core/sans-io.ts'
import type { Instant } from '../../core/time.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import type { AttributeName } from '../../stun/attributes.ts'
import type { Message } from '../../stun/message.ts'
import { type BehaviorDiscovery, changeIpBit, changePortBit, type Place } from '../behavior-discovery.ts'
import { type Outcome, reject, succeed } from '../outcome.ts'
import type { Partners } from '../partner/partners.ts'
import type { ServerState } from '../request.ts'
import { isStreamSocket } from '../socket-numbers.ts'
import { unknownAttributes } from '../understood-attributes.ts'
import { discoveryAnswer } from './binding-answer.ts'

/** From one connection there is no answering from elsewhere, nor to another port. */
const understoodOnStreams: readonly AttributeName[] = ['PADDING']
const understoodOnUdp: readonly AttributeName[] = ['CHANGE-REQUEST', 'RESPONSE-PORT', 'PADDING']

/** An outcome, and the socket and address that it goes out by. */
interface Response {
  readonly outcome: Outcome
  /** Undefined: it is the partner's to answer, from this one of its ports. */
  readonly socket: SocketId | undefined
  readonly partnerPort?: number
  readonly destination: TransportAddress
}

export class BindingMethod {
  readonly #state: ServerState
  readonly #behavior: BehaviorDiscovery
  readonly #partners: Partners

  constructor(state: ServerState, behavior: BehaviorDiscovery, partners: Partners) {
    this.#state = state
    this.#behavior = behavior
    this.#partners = partners
  }

  handle(message: Message, socket: SocketId, client: TransportAddress, now: Instant): void {
    const { answers, counters, peers } = this.#state
    const place = this.#partners.placeFor(this.#behavior.placeOf(socket), client)
    const response =
      place === undefined
        ? { outcome: plain(message, client), socket, destination: client }
        : discovery(message, socket, client, place)
    const { destination } = response
    // A port of our own that RESPONSE-PORT names would get an answer to nothing.
    if (peers.isListening(destination)) {
      counters.drops['bad-source']++
      return
    }
    const transactionId = message.transactionId.slice()
    if (response.socket === undefined && place?.partner !== undefined) {
      const answerPort = response.partnerPort ?? 0
      const paddedLength = paddedLengthOf(message)
      const request = { client, destination, transactionId, askedPort: place.index, answerPort, paddedLength }
      this.#partners.forward(place.partner, request, now)
      return
    }
    counters.bindingResponses++
    const reply = { socket: response.socket ?? socket, client: destination, method: 'Binding' } as const
    answers.answer({ ...reply, transactionId, key: undefined }, response.outcome)
  }
}

function plain(message: Message, client: TransportAddress): Outcome {
  const unknown = unknownAttributes(message, 'Binding')
  if (unknown.length > 0) return reject(420, ['UNKNOWN-ATTRIBUTES', unknown])
  return succeed(['XOR-MAPPED-ADDRESS', client])
}

/** RFC 5780 §6.1, of a request that has come to one of the four addresses. */
function discovery(message: Message, socket: SocketId, client: TransportAddress, place: Place): Response {
  const isStream = isStreamSocket(socket)
  const refuse = (outcome: Outcome): Response => ({ outcome, socket, destination: client })
  const unknown = unknownAttributes(message, 'Binding', isStream ? understoodOnStreams : understoodOnUdp)
  if (unknown.length > 0) return refuse(reject(420, ['UNKNOWN-ATTRIBUTES', unknown]))
  if (understoodOnUdp.some((name) => message.has(name) && message.get(name) === undefined)) {
    return refuse(reject(400))
  }
  // Padding that goes to another port would be an amplifier; a packet cannot go to port 0.
  const port = message.get('RESPONSE-PORT')
  if (port !== undefined && (port === 0 || message.has('PADDING'))) return refuse(reject(400))
  const change = message.get('CHANGE-REQUEST')
  const from =
    place.index ^
    (change?.changeIp === true ? changeIpBit : 0) ^
    (change?.changePort === true ? changePortBit : 0)
  const outcome = discoveryAnswer({
    ...{ client, paddedLength: paddedLengthOf(message) },
    origin: place.advertised[from]!,
    other: place.advertised[place.index ^ changeIpBit ^ changePortBit]!,
  })
  return {
    outcome,
    socket: isStream ? socket : place.sockets[from],
    partnerPort: from & changePortBit,
    destination: port === undefined ? client : client.withPort(port),
  }
}

/** How long the answer may become for its padding; 0 where none is asked for. */
function paddedLengthOf(message: Message): number {
  return message.has('PADDING') ? message.bytes.length : 0
}
