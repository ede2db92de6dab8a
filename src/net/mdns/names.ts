/**
 * Names on the local network (RFC 6762): asks for those of others, and answers for our own. One socket, opened when it is
 * first needed. Where the system does not give us the port, names of others are not found and nobody finds ours.
 */

import type { Host, UdpSocket } from '../../core/host.ts'
import { later } from '../../core/time.ts'
import { type AddressWords, TransportAddress } from '../../core/transport-address.ts'
import { decodeMdns, encodeAnswer, encodeQuery, type MdnsMessage, recordTypes } from './message.ts'

const group = TransportAddress.of('224.0.0.251', 5353)
const anyAddress = TransportAddress.of('0.0.0.0', 5353)

/** RFC 6762 §5.2 asks for a second between queries. The first one may be lost like any packet. */
const askAtMs = [0, 1000, 2000]
/** A name that nobody answers for is an ordinary thing: browsers of other networks have them. */
const giveUpAtMs = 3000

interface Question {
  readonly name: string
  readonly callbacks: Set<(addresses: readonly TransportAddress[]) => void>
  readonly cancelTimers: (() => void)[]
}

export class MdnsNames {
  readonly #host: Host
  readonly #own = new Map<string, TransportAddress>()
  readonly #questions = new Map<string, Question>()
  #socket: UdpSocket | undefined
  #state: 'closed' | 'opening' | 'open' | 'refused' = 'closed'

  constructor(host: Host) {
    this.#host = host
  }

  /** Answers for the name from now on. */
  announce(name: string, address: TransportAddress): void {
    this.#own.set(name.toLowerCase(), address.withPort(0))
    this.#open()
  }

  /** Calls back once, with no address if there is none; never before it has returned, nor after it was cancelled. */
  resolve(name: string, callback: (addresses: readonly TransportAddress[]) => void): () => void {
    const key = name.toLowerCase()
    let question = this.#questions.get(key)
    if (question === undefined) {
      question = { name: key, callbacks: new Set(), cancelTimers: [] }
      this.#questions.set(key, question)
      this.#open()
      this.#ask(question)
    }
    question.callbacks.add(callback)
    return () => question.callbacks.delete(callback)
  }

  close(): void {
    for (const question of this.#questions.values()) cancel(question)
    this.#questions.clear()
    this.#own.clear()
    this.#socket?.close()
    this.#socket = undefined
    this.#state = 'closed'
  }

  #open(): void {
    if (this.#state !== 'closed') return
    this.#state = 'opening'
    this.#socket = this.#host.bindUdp(
      { address: anyAddress, multicastGroups: [group] },
      {
        bound: () => {
          this.#state = 'open'
          for (const { name } of this.#questions.values()) this.#send(name)
        },
        failed: () => {
          this.#state = 'refused'
          for (const question of [...this.#questions.values()]) this.#end(question, [])
        },
        datagram: (bytes, source) => this.#received(bytes, source),
        // Not to be joined, or no network: the questions run out of time.
        sendFailed: () => {},
      },
    )
  }

  #ask(question: Question): void {
    const { clock } = this.#host
    const start = clock.now()
    for (const delay of askAtMs) {
      question.cancelTimers.push(clock.schedule(later(start, delay), () => this.#send(question.name)))
    }
    const giveUpAt = this.#state === 'refused' ? start : later(start, giveUpAtMs)
    question.cancelTimers.push(clock.schedule(giveUpAt, () => this.#end(question, [])))
  }

  #send(name: string): void {
    if (this.#state === 'open') this.#socket?.send(encodeQuery(name), group)
  }

  #received(bytes: Uint8Array, source: AddressWords): void {
    const message = decodeMdns(bytes)
    if (message === undefined) return
    if (message.isResponse) this.#takeAnswers(message)
    else this.#answer(message, source)
  }

  #takeAnswers({ addresses }: MdnsMessage): void {
    for (const question of [...this.#questions.values()]) {
      const own = addresses.filter(({ name }) => name === question.name).map(({ address }) => address)
      if (own.length > 0) this.#end(question, own)
    }
  }

  #answer({ id, questions }: MdnsMessage, source: AddressWords): void {
    // Who asks from another port is no mDNS responder, and expects what any DNS server would say (RFC 6762 §6.7).
    const isLegacy = source.port !== group.port
    for (const { name, type, wantsUnicast } of questions) {
      const address = this.#own.get(name)
      if (address === undefined || !isOfType(address, type)) continue
      const destination = isLegacy || wantsUnicast ? TransportAddress.from(source) : group
      this.#socket?.send(encodeAnswer({ name, address }, isLegacy ? id : 0), destination)
    }
  }

  #end(question: Question, addresses: readonly TransportAddress[]): void {
    cancel(question)
    this.#questions.delete(question.name)
    for (const callback of question.callbacks) callback(addresses)
  }
}

function cancel({ cancelTimers }: Question): void {
  for (const cancelTimer of cancelTimers) cancelTimer()
}

function isOfType({ family }: TransportAddress, type: number): boolean {
  return type === recordTypes.any || type === (family === 'IPv4' ? recordTypes.A : recordTypes.AAAA)
}
