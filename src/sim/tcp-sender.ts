/**
 * What a TCP connection has to send: cut into segments, as many at a time as the receiver's window and slow start allow
 * (RFC 5681), and again when it was lost (RFC 6582 "NewReno").
 */

import type { Instant } from '../core/time.ts'
import { noBytes } from './packet.ts'
import { receiveBufferBytes } from './tcp-receiver.ts'
import type { RetransmissionTimeout } from './tcp-timeout.ts'

const maximumSegment = 1400
/** What the sending system takes before the program has to wait. */
const sendBufferBytes = 64 * 1024

/** A segment that was sent and not acknowledged. */
export interface Flight {
  readonly sequence: number
  readonly bytes: Uint8Array
  readonly fin: boolean
  readonly sentAt: Instant
  isRetransmitted: boolean
}

export class TcpSender {
  /** Of the SYN. */
  readonly firstSequence: number
  /** What the other side has room for. */
  remoteWindow = receiveBufferBytes
  readonly #timeout: RetransmissionTimeout
  readonly #transmit: (flight: Flight) => void
  #acknowledged: number
  #nextSequence: number
  #unsent: Uint8Array[] = []
  #unsentBytes = 0
  #flights: Flight[] = []
  #flightBytes = 0
  #isEnding = false
  #isFinSent = false
  #congestionWindow = maximumSegment * 10
  #duplicates = 0
  /** While acknowledgements stay below this, each shows the next segment that was lost. */
  #recoversUntil = 0

  constructor(firstSequence: number, timeout: RetransmissionTimeout, transmit: (flight: Flight) => void) {
    this.firstSequence = firstSequence
    this.#timeout = timeout
    this.#transmit = transmit
    this.#acknowledged = firstSequence
    this.#nextSequence = firstSequence + 1
  }

  get nextSequence(): number {
    return this.#nextSequence
  }

  /** What the program should wait for before it writes more. */
  get pendingBytes(): number {
    return Math.max(this.#unsentBytes + this.#flightBytes - sendBufferBytes, 0)
  }

  /** Whether no more is taken: the end was asked for. */
  get isEnding(): boolean {
    return this.#isEnding
  }

  /** Whether something is under way, or waits for a window that has closed. */
  get isWaiting(): boolean {
    return this.#flights.length > 0 || this.#unsentBytes > 0
  }

  /** Whether all was acknowledged, the FIN too. */
  get isFinished(): boolean {
    return this.#isFinSent && this.#flights.length === 0
  }

  write(bytes: Uint8Array): void {
    this.#unsent.push(bytes)
    this.#unsentBytes += bytes.length
  }

  end(): void {
    this.#isEnding = true
  }

  /** Forgets what the sending system would not have taken yet. */
  discardPending(): void {
    while (this.pendingBytes > 0 && this.#unsent.length > 0) this.#unsentBytes -= this.#unsent.pop()!.length
  }

  /** The SYN was acknowledged. */
  start(): void {
    this.#acknowledged = this.#nextSequence
  }

  /** Sends what the windows allow. */
  pump(now: Instant): void {
    const window = Math.min(this.remoteWindow, this.#congestionWindow)
    while (this.#unsentBytes > 0 && this.#flightBytes < window) this.#send(this.#take(), false, now)
    if (!this.#isEnding || this.#isFinSent || this.#unsentBytes > 0) return
    this.#isFinSent = true
    this.#send(noBytes, true, now)
  }

  /** Returns whether it acknowledges anything new. */
  handleAcknowledgment(acknowledgment: number, hasData: boolean, now: Instant): boolean {
    if (acknowledgment > this.#acknowledged) {
      this.#acknowledgeUpTo(acknowledgment, now)
      return true
    }
    if (!hasData && this.#flights.length > 0 && ++this.#duplicates === 3) {
      this.#congestionWindow = Math.max(this.#congestionWindow / 2, maximumSegment * 2)
      this.#recover()
    }
    return false
  }

  /** Nothing was acknowledged for too long. */
  handleTimeout(now: Instant): void {
    if (this.#flights.length > 0) {
      this.#congestionWindow = maximumSegment * 2
      this.#recover()
      return
    }
    // With nothing under way and a closed window, only asking again finds out that it has opened.
    if (this.#unsentBytes > 0) this.#send(this.#take(), false, now)
  }

  #acknowledgeUpTo(acknowledgment: number, now: Instant): void {
    this.#duplicates = 0
    this.#acknowledged = acknowledgment
    for (;;) {
      const flight = this.#flights[0]
      if (flight === undefined || flight.sequence + lengthOf(flight) > acknowledgment) break
      this.#flights.shift()
      this.#flightBytes -= flight.bytes.length
      this.#congestionWindow = Math.min(this.#congestionWindow + flight.bytes.length, receiveBufferBytes * 4)
      if (!flight.isRetransmitted) this.#timeout.measure(now - flight.sentAt)
    }
    this.#timeout.handleProgress(now, this.#flights.length > 0)
    if (acknowledgment < this.#recoversUntil) this.#retransmit()
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

  #send(bytes: Uint8Array, fin: boolean, now: Instant): void {
    const flight = { sequence: this.#nextSequence, bytes, fin, sentAt: now, isRetransmitted: false }
    this.#nextSequence += lengthOf(flight)
    this.#flights.push(flight)
    this.#flightBytes += bytes.length
    this.#timeout.handleSent(now)
    this.#transmit(flight)
  }

  #recover(): void {
    this.#recoversUntil = this.#nextSequence
    this.#retransmit()
  }

  #retransmit(): void {
    const flight = this.#flights[0]
    if (flight === undefined) return
    flight.isRetransmitted = true
    this.#transmit(flight)
  }
}

/** In sequence numbers: a FIN has one of its own. */
function lengthOf({ bytes, fin }: { bytes: Uint8Array; fin: boolean }): number {
  return bytes.length + (fin ? 1 : 0)
}
