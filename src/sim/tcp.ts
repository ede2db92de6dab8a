/**
 * One end of a simulated TCP connection: handshake (simultaneous open included), acknowledgement, retransmission,
 * slow start, a receive window, FIN and RST. Loss shows as delay, as it does in the world. Left out: wrapping
 * sequence numbers, selective and delayed acknowledgements, TIME-WAIT.
 */

import { type Instant, instant, later } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { noBytes, Packet, type Segment } from './packet.ts'
import type { World } from './world.ts'

const maximumSegment = 1400
const receiveBufferBytes = 256 * 1024
/** What the sending system takes before the program has to wait. */
const sendBufferBytes = 64 * 1024
const synRtoMs = 1000
const minimumRtoMs = 200
/** Limit: after that long without an acknowledgement the connection is given up. */
const giveUpMs = 60_000
/** Limit: how long an end that was closed waits for the other one. */
const lingerMs = 60_000

export interface TcpUser {
  established(): void
  received(bytes: Uint8Array): void
  drained(): void
  /** The remote side has ended; all of its bytes were received before. */
  ended(): void
  /** Both sides have ended, in order. */
  finished(): void
  /** Refused, reset or timed out. */
  failed(reason: string): void
}

export interface TcpEnvironment {
  /** Sends the packet, or says why it cannot go. */
  transmit(packet: Packet): string | undefined
  /** The connection is over: its port is free. */
  done(): void
}

type State = 'opening' | 'syn-sent' | 'syn-received' | 'established' | 'closed'

interface Flight {
  readonly sequence: number
  readonly bytes: Uint8Array
  readonly fin: boolean
  readonly sentAt: Instant
  isRetransmitted: boolean
}

export class TcpConnection {
  readonly local: TransportAddress
  readonly remote: TransportAddress
  readonly #world: World
  readonly #environment: TcpEnvironment
  #user: TcpUser | undefined
  #state: State = 'opening'
  #firstSequence: number
  #acknowledged: number
  #nextSequence: number
  #expected = 0
  #unsent: Uint8Array[] = []
  #unsentBytes = 0
  #flights: Flight[] = []
  #flightBytes = 0
  #endsAfterwards = false
  #finIsSent = false
  #finIsReceived = false
  #endIsTold = false
  readonly #outOfOrder = new Map<number, { bytes: Uint8Array; fin: boolean }>()
  #unread: Uint8Array[] = []
  #unreadBytes = 0
  #isPaused = false
  #remoteWindow = receiveBufferBytes
  #congestionWindow = maximumSegment * 10
  #smoothedRttMs = 0
  #baseRtoMs = synRtoMs
  #rtoMs = synRtoMs
  #duplicates = 0
  /** While acknowledgements stay below this, each shows the next segment that was lost (RFC 6582 "NewReno"). */
  #recoversUntil = 0
  #waitingSince: Instant | undefined
  #wasPending = false
  #isPumpDue = false
  #cancelTimer: (() => void) | undefined
  #cancelLinger: (() => void) | undefined

  constructor(
    world: World,
    local: TransportAddress,
    remote: TransportAddress,
    environment: TcpEnvironment,
    firstSequence: number,
  ) {
    this.#world = world
    this.local = local
    this.remote = remote
    this.#environment = environment
    this.#firstSequence = firstSequence
    this.#acknowledged = firstSequence
    this.#nextSequence = firstSequence + 1
  }

  get pendingBytes(): number {
    return Math.max(this.#unsentBytes + this.#flightBytes - sendBufferBytes, 0)
  }

  attach(user: TcpUser): void {
    this.#user = user
  }

  /** Sends the SYN. Returns why that is not possible, if it is not. */
  connect(): string | undefined {
    this.#state = 'syn-sent'
    const refusal = this.#transmit({ syn: true, sequence: this.#firstSequence })
    if (refusal === undefined) this.#arm()
    else this.#finish()
    return refusal
  }

  /** Answers the SYN that a listener has received. */
  accept({ sequence, window }: Segment): void {
    this.#state = 'syn-received'
    this.#expected = sequence + 1
    this.#remoteWindow = window
    this.#transmit({ syn: true, ack: true, sequence: this.#firstSequence })
    this.#arm()
  }

  write(bytes: Uint8Array): void {
    if (this.#state === 'closed' || this.#endsAfterwards || bytes.length === 0) return
    this.#unsent.push(bytes)
    this.#unsentBytes += bytes.length
    if (this.pendingBytes > 0) this.#wasPending = true
    this.#pumpSoon()
  }

  end(): void {
    this.#endsAfterwards = true
    this.#pumpSoon()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#world.soon(() => this.#deliver())
  }

  /** Lets go: what the system has taken is still sent, nothing is heard any more. */
  close(): void {
    this.#user = undefined
    if (this.#state === 'syn-sent' || this.#state === 'opening') {
      this.#finish()
      return
    }
    if (this.#state === 'closed') return
    while (this.pendingBytes > 0 && this.#unsent.length > 0) this.#unsentBytes -= this.#unsent.pop()!.length
    if (this.#unreadBytes > 0) {
      this.abort()
      return
    }
    this.#cancelLinger ??= this.#world.after(lingerMs, () => this.#finish())
    this.end()
  }

  /** Resets the connection. */
  abort(): void {
    if (this.#state === 'closed') return
    if (this.#state !== 'syn-sent') this.#transmit({ rst: true, ack: true, sequence: this.#nextSequence })
    this.#finish()
  }

  /** An ICMP error about this connection. Only a connection that is not there yet takes it seriously. */
  unreachable(reason: string): void {
    if (this.#state === 'syn-sent') this.#fail(reason)
  }

  handle(packet: Packet): void {
    const segment = packet.segment!
    if (segment.rst) {
      this.#handleReset(segment)
      return
    }
    this.#remoteWindow = segment.window
    if (this.#state === 'syn-sent') {
      this.#handleWhileOpening(segment)
      return
    }
    if (segment.syn) {
      // Ours was lost on the way, or its acknowledgement.
      if (this.#state === 'syn-received' && !segment.ack) {
        this.#transmit({ syn: true, ack: true, sequence: this.#firstSequence })
        return
      }
      if (this.#state === 'established') {
        this.#acknowledge()
        return
      }
    }
    if (this.#state === 'syn-received') {
      if (!segment.ack || segment.acknowledgment !== this.#nextSequence) return
      this.#establish()
    }
    if (this.#state !== 'established') return
    if (segment.ack) this.#handleAcknowledgment(segment, packet.bytes.length > 0 || segment.fin)
    // An acknowledgement may have been the last that there was to wait for.
    if (this.#isClosed()) return
    if (packet.bytes.length > 0 || segment.fin) this.#handleData(segment, packet.bytes)
  }

  #handleReset(segment: Segment): void {
    if (this.#state === 'syn-sent' && segment.acknowledgment !== this.#nextSequence) return
    this.#fail(this.#state === 'syn-sent' ? 'ECONNREFUSED' : 'ECONNRESET')
  }

  #handleWhileOpening(segment: Segment): void {
    if (!segment.syn) return
    this.#expected = segment.sequence + 1
    if (!segment.ack) {
      this.#state = 'syn-received'
      this.#transmit({ syn: true, ack: true, sequence: this.#firstSequence })
    } else if (segment.acknowledgment === this.#nextSequence) {
      this.#establish()
      this.#acknowledge()
    }
  }

  #establish(): void {
    this.#state = 'established'
    this.#acknowledged = this.#nextSequence
    this.#rtoMs = synRtoMs
    this.#waitingSince = undefined
    this.#arm()
    this.#user?.established()
    this.#pump()
  }

  #handleAcknowledgment({ acknowledgment }: Segment, hasData: boolean): void {
    if (acknowledgment > this.#acknowledged) this.#acknowledgeUpTo(acknowledgment)
    else if (!hasData && this.#flights.length > 0 && ++this.#duplicates === 3) {
      this.#congestionWindow = Math.max(this.#congestionWindow / 2, maximumSegment * 2)
      this.#recover()
    }
    this.#pump()
    if (this.#wasPending && this.pendingBytes === 0) {
      this.#wasPending = false
      this.#user?.drained()
    }
  }

  #acknowledgeUpTo(acknowledgment: number): void {
    this.#duplicates = 0
    this.#acknowledged = acknowledgment
    for (;;) {
      const flight = this.#flights[0]
      if (flight === undefined || flight.sequence + lengthOf(flight) > acknowledgment) break
      this.#flights.shift()
      this.#flightBytes -= flight.bytes.length
      this.#congestionWindow = Math.min(this.#congestionWindow + flight.bytes.length, receiveBufferBytes * 4)
      if (!flight.isRetransmitted) this.#measure(this.#world.now - flight.sentAt)
    }
    // There is progress: the time to wait no longer doubles (RFC 6298 §5.7).
    this.#rtoMs = this.#baseRtoMs
    this.#waitingSince = this.#flights.length > 0 ? this.#world.now : undefined
    if (acknowledgment < this.#recoversUntil) this.#retransmit()
    this.#arm()
    this.#finishIfDone()
  }

  #measure(rttMs: number): void {
    this.#smoothedRttMs = this.#smoothedRttMs === 0 ? rttMs : this.#smoothedRttMs * 0.875 + rttMs * 0.125
    this.#baseRtoMs = Math.max(this.#smoothedRttMs * 2, this.#smoothedRttMs + minimumRtoMs)
  }

  #handleData({ sequence, fin }: Segment, bytes: Uint8Array): void {
    // The one at the other end has let go of us: nobody is left to read this.
    if (this.#user === undefined && bytes.length > 0) {
      this.abort()
      return
    }
    if (sequence >= this.#expected) this.#outOfOrder.set(sequence, { bytes, fin })
    for (;;) {
      const next = this.#outOfOrder.get(this.#expected)
      if (next === undefined) break
      this.#outOfOrder.delete(this.#expected)
      this.#expected += next.bytes.length + (next.fin ? 1 : 0)
      if (next.bytes.length > 0) this.#unread.push(next.bytes)
      this.#unreadBytes += next.bytes.length
      if (next.fin) this.#finIsReceived = true
    }
    this.#acknowledge()
    if (!this.#isPaused) this.#deliver()
  }

  #deliver(): void {
    const wasClosed = this.#unreadBytes >= receiveBufferBytes
    while (this.#unread.length > 0 && !this.#isPaused) {
      const bytes = this.#unread.shift()!
      this.#unreadBytes -= bytes.length
      this.#user?.received(bytes.slice())
    }
    if (wasClosed && !this.#isClosed()) this.#acknowledge()
    if (this.#unread.length > 0 || !this.#finIsReceived || this.#endIsTold) return
    this.#endIsTold = true
    this.#user?.ended()
    this.#finishIfDone()
  }

  #finishIfDone(): void {
    if (!this.#finIsSent || this.#flights.length > 0 || !this.#endIsTold) return
    const user = this.#user
    this.#finish()
    user?.finished()
  }

  /** What is written at one time leaves together. */
  #pumpSoon(): void {
    if (this.#isPumpDue) return
    this.#isPumpDue = true
    this.#world.soon(() => this.#pump())
  }

  #pump(): void {
    this.#isPumpDue = false
    if (this.#state !== 'established') return
    const window = Math.min(this.#remoteWindow, this.#congestionWindow)
    while (this.#unsentBytes > 0 && this.#flightBytes < window) this.#sendFlight(this.#take(), false)
    if (this.#endsAfterwards && !this.#finIsSent && this.#unsentBytes === 0) {
      this.#finIsSent = true
      this.#sendFlight(noBytes, true)
    }
    // What is sent besides does not put off what is waited for already (RFC 6298 §5.1).
    if (this.#cancelTimer === undefined) this.#arm()
  }

  /** At most one segment of what is to be sent; small writes go together. */
  #take(): Uint8Array {
    const bytes = new Uint8Array(Math.min(this.#unsentBytes, maximumSegment))
    for (let at = 0; at < bytes.length; ) {
      const first = this.#unsent[0]!
      const part = first.subarray(0, bytes.length - at)
      bytes.set(part, at)
      at += part.length
      if (part.length === first.length) this.#unsent.shift()
      else this.#unsent[0] = first.subarray(part.length)
    }
    this.#unsentBytes -= bytes.length
    return bytes
  }

  #sendFlight(bytes: Uint8Array, fin: boolean): void {
    const flight = {
      sequence: this.#nextSequence,
      bytes,
      fin,
      sentAt: this.#world.now,
      isRetransmitted: false,
    }
    this.#nextSequence += lengthOf(flight)
    this.#flights.push(flight)
    this.#flightBytes += bytes.length
    this.#waitingSince ??= flight.sentAt
    this.#transmit({ ack: true, fin, sequence: flight.sequence }, bytes)
  }

  #recover(): void {
    this.#recoversUntil = this.#nextSequence
    this.#retransmit()
  }

  #retransmit(): void {
    const flight = this.#flights[0]
    if (flight === undefined) return
    flight.isRetransmitted = true
    this.#transmit({ ack: true, fin: flight.fin, sequence: flight.sequence }, flight.bytes)
  }

  #acknowledge(): void {
    this.#transmit({ ack: true, sequence: this.#nextSequence })
  }

  #transmit(flags: Partial<Segment> & { sequence: number }, bytes: Uint8Array = noBytes): string | undefined {
    const segment: Segment = {
      syn: false,
      ack: false,
      fin: false,
      rst: false,
      acknowledgment: this.#expected,
      window: Math.max(receiveBufferBytes - this.#unreadBytes, 0),
      ...flags,
    }
    return this.#environment.transmit(new Packet('tcp', this.local, this.remote, bytes, segment))
  }

  #isWaiting(): boolean {
    if (this.#state === 'syn-sent' || this.#state === 'syn-received') return true
    // With nothing under way and a closed window, only asking again finds out that it has opened.
    return this.#state === 'established' && (this.#flights.length > 0 || this.#unsentBytes > 0)
  }

  #arm(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = this.#isWaiting()
      ? this.#world.after(this.#rtoMs, () => this.#handleTimer())
      : undefined
  }

  #handleTimer(): void {
    this.#cancelTimer = undefined
    this.#waitingSince ??= instant(this.#world.now - this.#rtoMs)
    if (this.#world.now >= later(this.#waitingSince, giveUpMs)) {
      this.#fail('ETIMEDOUT')
      return
    }
    this.#rtoMs *= 2
    if (this.#state === 'syn-sent') this.#transmit({ syn: true, sequence: this.#firstSequence })
    else if (this.#state === 'syn-received') {
      this.#transmit({ syn: true, ack: true, sequence: this.#firstSequence })
    } else if (this.#flights.length > 0) {
      this.#congestionWindow = maximumSegment * 2
      this.#recover()
    } else if (this.#unsentBytes > 0) this.#sendFlight(this.#take(), false)
    this.#arm()
  }

  #fail(reason: string): void {
    const user = this.#user
    this.#finish()
    user?.failed(reason)
  }

  /** Asked anew, for handlers that were called meanwhile may have closed it. */
  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #finish(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#user = undefined
    this.#cancelTimer?.()
    this.#cancelLinger?.()
    this.#environment.done()
  }
}

function lengthOf({ bytes, fin }: { bytes: Uint8Array; fin: boolean }): number {
  return bytes.length + (fin ? 1 : 0)
}
