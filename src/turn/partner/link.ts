/**
 * The link between two machines with one address each that are one server of RFC 5780 together: whether the partner is
 * there, and requests handed to it. No clocks are compared. Every ping carries a number that nobody knew before, and who
 * echoes it is there now: by pongs a partner's run (its epoch) is taken for real, and a request is as fresh as the ping
 * whose number it shows. ADR 14 has the reasons.
 */

import { isSameIp } from '../../core/ip.ts'
import { OutputQueue } from '../../core/output-queue.ts'
import type { Random } from '../../core/random.ts'
import { type Instant, later } from '../../core/time.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import { isSameBytes } from '../../stun/bytes.ts'
import {
  decodePartnerDatagram,
  encodePartnerDatagram,
  type PartnerDatagram,
  type PartnerHeader,
  type PartnerIdentity,
  type PartnerRequest,
} from './datagram.ts'
import { ReplayWindow } from './replay-window.ts'

/** Limit: twelve losses in a row on the way there or back are silence. A line that loses every fifth packet stays up. */
export const pingIntervalMs = 400
export const silenceMs = 5000
/** Limit: a request that shows an older number than this is not answered. */
export const freshMs = 4000
/** Limit: pings of another run than the one that is known are answered so often, for whoever replays them. */
const strangersPerSecond = 10

export interface PartnerLinkOptions extends PartnerIdentity {
  /** The first signs, each is accepted; at least one. */
  readonly keys: readonly Uint8Array[]
}

/** Why what was signed with our key does not lead to a pair. */
export type PartnerMismatch = 'ports' | 'family' | 'own-address'

export type PartnerOutput =
  /** Send from that one of our two ports to the partner's same one. */
  | { readonly type: 'send'; readonly lane: number; readonly bytes: Uint8Array }
  /** The partner asks that this be answered from here. */
  | { readonly type: 'answer'; readonly request: PartnerRequest }
  /** The partner is there, with these two addresses for clients. */
  | { readonly type: 'up'; readonly partner: PartnerIdentity['addresses'] }
  | { readonly type: 'down' }
  /** Told once for each kind. */
  | { readonly type: 'mismatch'; readonly what: PartnerMismatch; readonly partner: TransportAddress }

export class PartnerCounters {
  forwarded = 0
  answered = 0
  readonly drops = { forged: 0, reflected: 0, replayed: 0, stale: 0, stranger: 0, unasked: 0, mismatched: 0 }
}

/** A number that a ping has carried, on which lane, and when. */
interface Issued {
  readonly nonce: Uint8Array
  readonly lane: number
  readonly at: Instant
  isEchoed: boolean
}

/** The partner's run that a pong has proved. */
interface Session {
  readonly epoch: Uint8Array
  readonly window: ReplayWindow
  readonly addresses: PartnerIdentity['addresses']
  /** When each of its ports has last echoed. */
  readonly heardAt: (Instant | undefined)[]
  hearsUs: boolean
  /** The number of its last ping: what our requests show. */
  nonce: Uint8Array | undefined
}

export class PartnerLink {
  readonly counters = new PartnerCounters()
  readonly #identity: PartnerIdentity
  readonly #random: Random
  readonly #epoch: Uint8Array
  readonly #outputs = new OutputQueue<PartnerOutput>()
  readonly #told = new Set<PartnerMismatch>()
  #keys: readonly Uint8Array[]
  #counter = 0
  #issued: Issued[] = []
  #session: Session | undefined
  #isUp = false
  #nextPingAt: Instant
  #strangersUntil: Instant

  constructor({ addresses, keys }: PartnerLinkOptions, random: Random, now: Instant) {
    this.#identity = { addresses }
    this.#keys = keys
    this.#random = random
    this.#epoch = random.bytes(8)
    this.#nextPingAt = now
    this.#strangersUntil = now
  }

  get isUp(): boolean {
    return this.#isUp
  }

  setKeys(keys: readonly Uint8Array[]): void {
    this.#keys = keys
  }

  /** Takes what has come from the partner's port to our same one: `lane` is which. */
  handleDatagram(lane: number, bytes: Uint8Array, now: Instant): void {
    const { drops } = this.counters
    const datagram = decodePartnerDatagram(bytes, this.#keys)
    if (datagram === undefined || datagram.lane !== lane) {
      drops.forged++
      return
    }
    // Our own words, sent back to us.
    if (isSameBytes(datagram.epoch, this.#epoch) || this.#isOwn(datagram.addresses[0])) {
      drops.reflected++
      this.#mismatch('own-address', datagram)
      return
    }
    if (datagram.type === 'pong') this.#handlePong(datagram, now)
    else if (datagram.type === 'ping') this.#handlePing(datagram, now)
    else this.#handleRequest(datagram, datagram.request, now)
    this.#judge(now)
  }

  /** Hands a request to the partner. False while it is not there. */
  forward(request: PartnerRequest, now: Instant): boolean {
    this.#judge(now)
    const nonce = this.#session?.nonce
    if (!this.#isUp || nonce === undefined) return false
    this.counters.forwarded++
    const lane = request.askedPort
    this.#send({ type: 'request', request, ...this.#header(lane, nonce, now) })
    return true
  }

  handleTimeout(now: Instant): void {
    if (now >= this.#nextPingAt) {
      this.#nextPingAt = later(now, pingIntervalMs)
      this.#issued = this.#issued.filter(({ at }) => now - at <= freshMs)
      for (const lane of [0, 1]) {
        const nonce = this.#random.bytes(8)
        this.#issued.push({ nonce, lane, at: now, isEchoed: false })
        this.#send({ type: 'ping', ...this.#header(lane, nonce, now) })
      }
    }
    this.#judge(now)
  }

  /** Pings are often enough to see silence by. */
  pollTimeout(): Instant {
    return this.#nextPingAt
  }

  poll(): PartnerOutput | undefined {
    return this.#outputs.take()
  }

  /** Answered, so that the partner can know us; heard only if it is of the run that a pong has proved. */
  #handlePing(ping: PartnerHeader, now: Instant): void {
    const session = this.#sessionOf(ping)
    if (session === undefined) {
      if (!this.#admitsStranger(now)) return
    } else if (!session.window.admit(ping.counter)) {
      this.counters.drops.replayed++
      return
    } else session.nonce = ping.nonce
    this.#send({ type: 'pong', ...this.#header(ping.lane, ping.nonce, now) })
  }

  #handlePong(pong: PartnerHeader, now: Instant): void {
    const issued = this.#find(pong.nonce, now)
    if (issued === undefined || issued.isEchoed || issued.lane !== pong.lane) {
      this.counters.drops.unasked++
      return
    }
    if (!this.#isPair(pong)) return
    const session = this.#sessionOf(pong) ?? this.#adopt(pong, issued)
    if (!session.window.admit(pong.counter)) {
      this.counters.drops.replayed++
      return
    }
    issued.isEchoed = true
    session.heardAt[pong.lane] = now
    session.hearsUs = pong.hears
  }

  /** The partner has started anew. Echoes of its last run that somebody has kept back are asked for no more. */
  #adopt({ epoch, addresses }: PartnerHeader, echoed: Issued): Session {
    this.#issued = this.#issued.filter((issued) => issued === echoed || issued.at > echoed.at)
    this.#session = {
      ...{ epoch, addresses, window: new ReplayWindow(), heardAt: [undefined, undefined] },
      ...{ hearsUs: false, nonce: undefined },
    }
    return this.#session
  }

  #handleRequest(header: PartnerHeader, request: PartnerRequest, now: Instant): void {
    const { counters } = this
    const session = this.#sessionOf(header)
    if (session === undefined) counters.drops.stranger++
    else if (this.#find(header.nonce, now) === undefined) counters.drops.stale++
    else if (!session.window.admit(header.counter)) counters.drops.replayed++
    else {
      counters.answered++
      this.#outputs.push({ type: 'answer', request })
    }
  }

  /** What the pings have carried lately: a number of another time, or of nobody, is not there. */
  #find(nonce: Uint8Array, now: Instant): Issued | undefined {
    return this.#issued.find((issued) => now - issued.at <= freshMs && isSameBytes(issued.nonce, nonce))
  }

  #sessionOf({ epoch }: PartnerHeader): Session | undefined {
    const session = this.#session
    return session !== undefined && isSameBytes(session.epoch, epoch) ? session : undefined
  }

  #admitsStranger(now: Instant): boolean {
    const from = Math.max(now, this.#strangersUntil)
    if (from - now >= 1000) {
      this.counters.drops.stranger++
      return false
    }
    this.#strangersUntil = (from + 1000 / strangersPerSecond) as Instant
    return true
  }

  /** Whether the two of us are what RFC 5780 §6 asks for: another address, the same two ports. */
  #isPair(header: PartnerHeader): boolean {
    const [own, ownSecond] = this.#identity.addresses
    const [first, second] = header.addresses
    const what: PartnerMismatch | undefined =
      first.family !== own.family
        ? 'family'
        : first.port !== own.port || second.port !== ownSecond.port
          ? 'ports'
          : undefined
    if (what === undefined) return true
    this.counters.drops.mismatched++
    this.#mismatch(what, header)
    return false
  }

  #isOwn(address: TransportAddress): boolean {
    return isSameIp(address, this.#identity.addresses[0])
  }

  #mismatch(what: PartnerMismatch, { addresses }: PartnerHeader): void {
    if (this.#told.has(what)) return
    this.#told.add(what)
    this.#outputs.push({ type: 'mismatch', what, partner: addresses[0] })
  }

  #hears(now: Instant): boolean {
    const heard = this.#session?.heardAt
    return heard?.every((at) => at !== undefined && now - at <= silenceMs) === true
  }

  /** Up when each hears the other on both ports: only then is all answered that a client may ask for. */
  #judge(now: Instant): void {
    const session = this.#session
    const isUp = this.#hears(now) && session?.hearsUs === true && session.nonce !== undefined
    if (isUp === this.#isUp) return
    this.#isUp = isUp
    this.#outputs.push(
      isUp && session !== undefined ? { type: 'up', partner: session.addresses } : { type: 'down' },
    )
  }

  #header(lane: number, nonce: Uint8Array, now: Instant): PartnerHeader {
    const { addresses } = this.#identity
    return { lane, nonce, addresses, hears: this.#hears(now), epoch: this.#epoch, counter: ++this.#counter }
  }

  #send(datagram: PartnerDatagram): void {
    const bytes = encodePartnerDatagram(datagram, this.#keys[0]!)
    this.#outputs.push({ type: 'send', lane: datagram.lane, bytes })
  }
}
