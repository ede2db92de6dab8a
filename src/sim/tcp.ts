/**
 * One end of a simulated TCP connection (RFC 9293): handshake (simultaneous open included), FIN and RST, and the timer.
 * Loss shows as delay, as it does in the world. Left out: wrapping sequence numbers, selective and delayed
 * acknowledgements, TIME-WAIT.
 */

import type { TransportAddress } from '../core/transport-address.ts'
import { noBytes, Packet, type Segment } from './packet.ts'
import { TcpReceiver } from './tcp-receiver.ts'
import { TcpSender } from './tcp-sender.ts'
import { RetransmissionTimeout } from './tcp-timeout.ts'
import type { World } from './world.ts'

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

export class TcpConnection {
  readonly local: TransportAddress
  readonly remote: TransportAddress
  readonly #world: World
  readonly #environment: TcpEnvironment
  readonly #timeout = new RetransmissionTimeout()
  readonly #sender: TcpSender
  readonly #receiver = new TcpReceiver()
  #user: TcpUser | undefined
  #state: State = 'opening'
  #isEndTold = false
  #isPaused = false
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
    this.#sender = new TcpSender(firstSequence, this.#timeout, ({ fin, sequence, bytes }) =>
      this.#transmit({ ack: true, fin, sequence }, bytes),
    )
  }

  get pendingBytes(): number {
    return this.#sender.pendingBytes
  }

  attach(user: TcpUser): void {
    this.#user = user
  }

  /** Sends the SYN. Returns why that is not possible, if it is not. */
  connect(): string | undefined {
    this.#state = 'syn-sent'
    const refusal = this.#sendSyn()
    if (refusal === undefined) this.#arm()
    else this.#finish()
    return refusal
  }

  /** Answers the SYN that a listener has received. */
  accept({ sequence, window }: Segment): void {
    this.#state = 'syn-received'
    this.#receiver.start(sequence)
    this.#sender.remoteWindow = window
    this.#sendSyn()
    this.#arm()
  }

  write(bytes: Uint8Array): void {
    if (this.#state === 'closed' || this.#sender.isEnding || bytes.length === 0) return
    this.#sender.write(bytes)
    if (this.pendingBytes > 0) this.#wasPending = true
    this.#pumpSoon()
  }

  end(): void {
    this.#sender.end()
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
    this.#sender.discardPending()
    if (this.#receiver.unreadBytes > 0) {
      this.abort()
      return
    }
    this.#cancelLinger ??= this.#world.after(lingerMs, () => this.#finish())
    this.end()
  }

  /** Resets the connection. */
  abort(): void {
    if (this.#state === 'closed') return
    if (this.#state !== 'syn-sent') {
      this.#transmit({ rst: true, ack: true, sequence: this.#sender.nextSequence })
    }
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
    this.#sender.remoteWindow = segment.window
    if (this.#state === 'syn-sent') {
      this.#handleWhileOpening(segment)
      return
    }
    if (segment.syn) {
      // Ours was lost on the way, or its acknowledgement.
      if (this.#state === 'syn-received' && !segment.ack) {
        this.#sendSyn()
        return
      }
      if (this.#state === 'established') {
        this.#acknowledge()
        return
      }
    }
    if (this.#state === 'syn-received') {
      if (!segment.ack || segment.acknowledgment !== this.#sender.nextSequence) return
      this.#establish()
    }
    if (this.#state !== 'established') return
    if (segment.ack) this.#handleAcknowledgment(segment, packet.bytes.length > 0 || segment.fin)
    // An acknowledgement may have been the last that there was to wait for.
    if (this.#isClosed()) return
    if (packet.bytes.length > 0 || segment.fin) this.#handleData(segment, packet.bytes)
  }

  #handleReset(segment: Segment): void {
    if (this.#state === 'syn-sent' && segment.acknowledgment !== this.#sender.nextSequence) return
    this.#fail(this.#state === 'syn-sent' ? 'ECONNREFUSED' : 'ECONNRESET')
  }

  #handleWhileOpening(segment: Segment): void {
    if (!segment.syn) return
    this.#receiver.start(segment.sequence)
    if (!segment.ack) {
      this.#state = 'syn-received'
      this.#sendSyn()
    } else if (segment.acknowledgment === this.#sender.nextSequence) {
      this.#establish()
      this.#acknowledge()
    }
  }

  #establish(): void {
    this.#state = 'established'
    this.#sender.start()
    this.#timeout.handleProgress(this.#world.now, false)
    this.#arm()
    this.#user?.established()
    this.#pump()
  }

  #handleAcknowledgment({ acknowledgment }: Segment, hasData: boolean): void {
    if (this.#sender.handleAcknowledgment(acknowledgment, hasData, this.#world.now)) {
      this.#arm()
      this.#finishIfDone()
    }
    this.#pump()
    if (this.#wasPending && this.pendingBytes === 0) {
      this.#wasPending = false
      this.#user?.drained()
    }
  }

  #handleData({ sequence, fin }: Segment, bytes: Uint8Array): void {
    // The one at the other end has let go of us: nobody is left to read this.
    if (this.#user === undefined && bytes.length > 0) {
      this.abort()
      return
    }
    this.#receiver.add(sequence, bytes, fin)
    this.#acknowledge()
    if (!this.#isPaused) this.#deliver()
  }

  #deliver(): void {
    const wasClosed = this.#receiver.window === 0
    while (!this.#isPaused) {
      const bytes = this.#receiver.read()
      if (bytes === undefined) break
      this.#user?.received(bytes.slice())
    }
    if (wasClosed && !this.#isClosed()) this.#acknowledge()
    if (!this.#receiver.isAtEnd || this.#isEndTold) return
    this.#isEndTold = true
    this.#user?.ended()
    this.#finishIfDone()
  }

  #finishIfDone(): void {
    if (!this.#sender.isFinished || !this.#isEndTold) return
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
    this.#sender.pump(this.#world.now)
    // What is sent besides does not put off what is waited for already (RFC 6298 §5.1).
    if (this.#cancelTimer === undefined) this.#arm()
  }

  /** By itself on the side that connects, with an acknowledgement on the one that has received another one's. */
  #sendSyn(): string | undefined {
    return this.#transmit({
      syn: true,
      ack: this.#state === 'syn-received',
      sequence: this.#sender.firstSequence,
    })
  }

  #acknowledge(): void {
    this.#transmit({ ack: true, sequence: this.#sender.nextSequence })
  }

  #transmit(flags: Partial<Segment> & { sequence: number }, bytes: Uint8Array = noBytes): string | undefined {
    const segment: Segment = {
      syn: false,
      ack: false,
      fin: false,
      rst: false,
      acknowledgment: this.#receiver.expected,
      window: this.#receiver.window,
      ...flags,
    }
    return this.#environment.transmit(new Packet('tcp', this.local, this.remote, bytes, segment))
  }

  #isWaiting(): boolean {
    if (this.#state === 'syn-sent' || this.#state === 'syn-received') return true
    return this.#state === 'established' && this.#sender.isWaiting
  }

  #arm(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = this.#isWaiting()
      ? this.#world.after(this.#timeout.milliseconds, () => this.#handleTimer())
      : undefined
  }

  #handleTimer(): void {
    this.#cancelTimer = undefined
    if (this.#timeout.handleExpiry(this.#world.now) === 'give up') {
      this.#fail('ETIMEDOUT')
      return
    }
    if (this.#state === 'established') this.#sender.handleTimeout(this.#world.now)
    else this.#sendSyn()
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
