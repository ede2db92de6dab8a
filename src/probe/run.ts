/**
 * One run of a probe: its clock, its pace and its end, and which requests are under way on which socket. Limit: ten new
 * tests a second (RFC 5780 §3). A retransmission has a transaction ID of its own, so that its answer says how long *it*
 * took (Karn), and does not count as a new one.
 */

import type { Host } from '../core/host.ts'
import { type Instant, later } from '../core/time.ts'
import { type AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { Attribute } from '../stun/attributes.ts'
import { encodeMessage } from '../stun/encode.ts'
import { decodeMessage, type Message } from '../stun/message.ts'

const paceMs = 100

/** How often to ask before silence counts, and how long to wait: 20 % loss each way leaves 4 of 100,000 unanswered. */
const tries = 10
const firstRoundTripMs = 100
const interval = { least: 50, most: 110 } as const
const lastWait = { least: 150, most: 500 } as const

/** A timer that comes so late comes before what has arrived meanwhile is read: then silence is not proved yet. */
const stallMs = 20

/** What a run knows of its sockets. */
export interface RunSocket {
  send(bytes: Uint8Array, destination: AddressWords): void
  close(): void
}

export interface AskOptions {
  readonly attributes?: readonly Attribute[]
  /** Where the answer has to come from; the destination unless given. */
  readonly from?: TransportAddress
  /** The socket that the answer has to arrive at; the asking one unless given. */
  readonly at?: RunSocket
  readonly tries?: number
}

export type Asked = {
  readonly destination: TransportAddress
  readonly tries: number
} & (
  | {
      readonly type: 'answered'
      readonly mapped: TransportAddress
      readonly source: TransportAddress
      readonly response: Message
      readonly rttMs: number
    }
  /** An answer, from an address that was not asked for. */
  | { readonly type: 'wrong-source'; readonly source: TransportAddress }
  | { readonly type: 'rejected'; readonly code: number }
  /** Nothing came, after every try. */
  | { readonly type: 'silent' }
  /** The run ended first: nothing is known. */
  | { readonly type: 'cut' }
)

interface Pending {
  readonly sentAt: Instant
  arrived(message: Message, source: TransportAddress, socket: RunSocket, sentAt: Instant): void
}

export class Run {
  readonly host: Host
  readonly startedAt: Instant
  readonly trace: Asked[] = []
  readonly onStep: (text: string) => void
  readonly #endsAt: Instant
  readonly #pending = new Map<string, Pending>()
  /** Requests that were given up, by their transaction IDs, and those of them that were answered after all. */
  readonly #givenUp = new Map<string, Asked>()
  readonly #overdue = new Set<Asked>()
  readonly #sockets = new Set<RunSocket>()
  readonly #stops = new Set<() => void>()
  #nextTurn: Instant
  #isOver = false
  #roundTripMs = firstRoundTripMs
  #cancelEnd: () => void

  constructor(host: Host, limitMs: number, onStep: (text: string) => void = () => {}) {
    this.host = host
    this.onStep = onStep
    this.startedAt = host.clock.now()
    this.#nextTurn = this.startedAt
    this.#endsAt = later(this.startedAt, limitMs)
    this.#cancelEnd = host.clock.schedule(this.#endsAt, () => this.stop())
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get elapsedMs(): number {
    return this.host.clock.now() - this.startedAt
  }

  /** Ends it: what is under way is cut, and what follows is not begun. */
  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelEnd()
    for (const stop of [...this.#stops]) stop()
  }

  /** Ends it, and closes all sockets. */
  close(): void {
    this.stop()
    for (const socket of [...this.#sockets]) socket.close()
  }

  adopt(socket: RunSocket): void {
    this.#sockets.add(socket)
  }

  release(socket: RunSocket): void {
    this.#sockets.delete(socket)
  }

  /** Waits; false when the run has ended before that. */
  sleep(milliseconds: number): Promise<boolean> {
    if (this.#isOver) return Promise.resolve(false)
    return new Promise((resolve) => {
      const finish = (isDue: boolean) => {
        cancel()
        this.#stops.delete(stop)
        resolve(isDue)
      }
      const stop = () => finish(false)
      const { clock } = this.host
      const cancel = clock.schedule(later(clock.now(), milliseconds), () => finish(true))
      this.#stops.add(stop)
    })
  }

  /** Waits for the next place in the pace; false when the run has ended before. */
  turn(): Promise<boolean> {
    const now = this.host.clock.now()
    const at = later(now, Math.max(0, this.#nextTurn - now))
    this.#nextTurn = later(at, paceMs)
    return at > now ? this.sleep(at - now) : Promise.resolve(!this.#isOver)
  }

  /** Sends a Binding request until it is answered or all tries are used up. */
  async ask(socket: RunSocket, destination: TransportAddress, options: AskOptions = {}): Promise<Asked> {
    const isDue = await this.turn()
    const asked: Asked = isDue
      ? await this.#ask(socket, destination, options)
      : { type: 'cut', destination, tries: 0 }
    this.trace.push(asked)
    return asked
  }

  #ask(socket: RunSocket, destination: TransportAddress, options: AskOptions): Promise<Asked> {
    const { clock, random } = this.host
    const { attributes = [], from = destination, at = socket, tries: most = tries } = options
    const ids: string[] = []
    let cancel = () => {}
    return new Promise((resolve) => {
      const finish = (result: Asked) => {
        cancel()
        this.#stops.delete(stop)
        for (const id of ids) this.#pending.delete(id)
        if (result.type === 'silent') for (const id of ids) this.#givenUp.set(id, result)
        resolve(result)
      }
      const stop = () => finish({ type: 'cut', destination, tries: ids.length })
      this.#stops.add(stop)
      const arrived: Pending['arrived'] = (response, source, arrivedAt, sentAt) => {
        const count = ids.length
        if (response.class === 'error') {
          finish({ type: 'rejected', destination, tries: count, code: response.get('ERROR-CODE')?.code ?? 0 })
          return
        }
        if (!source.equals(from) || arrivedAt !== at) {
          finish({ type: 'wrong-source', destination, tries: count, source })
          return
        }
        const mapped = response.get('XOR-MAPPED-ADDRESS') ?? response.get('MAPPED-ADDRESS')
        if (mapped === undefined) return
        const rttMs = clock.now() - sentAt
        this.#roundTripMs = Math.max(rttMs, this.#roundTripMs === firstRoundTripMs ? 0 : this.#roundTripMs)
        finish({ type: 'answered', destination, tries: count, mapped, source, response, rttMs })
      }
      const send = () => {
        const transactionId = random.bytes(12)
        const id = transactionId.join(',')
        ids.push(id)
        this.#pending.set(id, { sentAt: clock.now(), arrived })
        socket.send(
          encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes }),
          destination,
        )
        const isLast = ids.length >= most
        const waitMs = isLast
          ? clamp(3 * this.#roundTripMs, lastWait.least, Math.max(lastWait.most, 1.5 * this.#roundTripMs))
          : clamp(this.#roundTripMs * 1.2, interval.least, interval.most)
        const wait = (due: Instant) => {
          cancel = clock.schedule(due, () => {
            const now = clock.now()
            if (!isLast) send()
            else if (now - due > stallMs) wait(later(now, waitMs))
            else finish({ type: 'silent', destination, tries: ids.length })
          })
        }
        wait(later(clock.now(), waitMs))
      }
      send()
    })
  }

  /** Whether an answer has come since it was given up: it was no silence but a slow machine. */
  isOverdue(asked: Asked): boolean {
    return this.#overdue.has(asked)
  }

  /** A datagram of a socket of this run. False if it is not an answer that anybody waits for. */
  handleDatagram(bytes: Uint8Array, source: AddressWords, socket: RunSocket): boolean {
    const message = decodeMessage(bytes)
    if (typeof message === 'string' || message.method !== 'Binding') return false
    if (message.class !== 'success' && message.class !== 'error') return false
    const id = message.transactionId.join(',')
    const givenUp = this.#givenUp.get(id)
    if (givenUp !== undefined) this.#overdue.add(givenUp)
    const pending = this.#pending.get(id)
    pending?.arrived(message, TransportAddress.from(source), socket, pending.sentAt)
    return pending !== undefined
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most)
}
