/**
 * Binding: RFC 8489 §3 and, at the alternate addresses, RFC 5780 §6.1. It needs no credentials, so an answer is as small
 * as it can be (RFC 8489 §16.1.2): what RFC 5780 adds is not there unless it is configured, and its padding never makes
 * an answer longer than the question.
 */

import type { SocketId } from '../../core/sans-io.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import type { Attribute, AttributeName } from '../../stun/attributes.ts'
import { headerBytes, type Message } from '../../stun/message.ts'
import { type BehaviorDiscovery, changeIpBit, changePortBit, type Place } from '../behavior-discovery.ts'
import { type Outcome, reject, succeed } from '../outcome.ts'
import type { ServerState } from '../request.ts'
import { isStreamSocket } from '../socket-numbers.ts'
import { unknownAttributes } from '../understood-attributes.ts'

/** From one connection there is no answering from elsewhere, nor to another port. */
const understoodOnStreams: readonly AttributeName[] = ['PADDING']
const understoodOnUdp: readonly AttributeName[] = ['CHANGE-REQUEST', 'RESPONSE-PORT', 'PADDING']

/** An outcome, and the socket and address that it goes out by. */
interface Response {
  readonly outcome: Outcome
  readonly socket: SocketId
  readonly destination: TransportAddress
}

export class BindingMethod {
  readonly #state: ServerState
  readonly #behavior: BehaviorDiscovery

  constructor(state: ServerState, behavior: BehaviorDiscovery) {
    this.#state = state
    this.#behavior = behavior
  }

  handle(message: Message, socket: SocketId, client: TransportAddress): void {
    const { answers, counters, peers } = this.#state
    const place = this.#behavior.placeOf(socket)
    const response =
      place === undefined
        ? { outcome: plain(message, client), socket, destination: client }
        : discovery(message, socket, client, place)
    // A port of our own that RESPONSE-PORT names would get an answer to nothing.
    if (peers.isListening(response.destination)) {
      counters.drops['bad-source']++
      return
    }
    counters.bindingResponses++
    const transactionId = message.transactionId.slice()
    const reply = { socket: response.socket, client: response.destination, method: 'Binding' } as const
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
  const origin = place.advertised[from]!
  const other = place.advertised[place.index ^ changeIpBit ^ changePortBit]!
  const attributes: Attribute[] = [
    ['XOR-MAPPED-ADDRESS', client],
    ['MAPPED-ADDRESS', client],
    ['RESPONSE-ORIGIN', origin],
    ['OTHER-ADDRESS', other],
  ]
  if (message.has('PADDING')) attributes.push(['PADDING', paddingFor(message, client, attributes.length)])
  return {
    outcome: succeed(...attributes),
    socket: isStream ? socket : place.sockets[from]!,
    destination: port === undefined ? client : client.withPort(port),
  }
}

/**
 * As much padding as makes the answer as long as the question. Deviation: RFC 5780 §6.1 would have it as long as the
 * interface's MTU; clients are asked for that themselves (§5), and this way nobody gets more than he has sent.
 */
function paddingFor(message: Message, client: TransportAddress, addresses: number): Uint8Array {
  const addressBytes = client.family === 'IPv4' ? 12 : 24
  const room = message.bytes.length - headerBytes - addresses * addressBytes - 4
  return new Uint8Array(Math.max(0, room & ~3))
}
