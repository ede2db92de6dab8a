/**
 * Joins two connections: what arrives at one goes out at the other as it is. Who does not read holds up who sends
 * (RFC 6062 §3), and an end on one side is an end on the other.
 */

import type { Clock, StreamHandlers, StreamSocket } from '../core/host.ts'
import { later } from '../core/time.ts'

/** Limit: what waits for one side before the other is read no more. */
const pendingLimitBytes = 128 * 1024

/** Limit: how long nothing may get through once one side has ended. */
const silenceMs = 60_000

export interface PipeOwner {
  readonly clock: Clock
  /** Bytes have come in from that side. The answer is for how many milliseconds to read no more from there. */
  carried(bytes: number, from: PipeSide): number
  /** Both connections are closed. No more is heard of them. */
  ended(reason: string | undefined): void
}

export type PipeSide = 'client' | 'peer'

export class Pipe {
  readonly client: PipeEnd
  readonly peer: PipeEnd
  readonly #owner: PipeOwner
  #carried = 0
  #isOver = false
  #cancelTimer: (() => void) | undefined

  constructor(owner: PipeOwner) {
    this.#owner = owner
    this.client = new PipeEnd(this, 'client', owner.clock)
    this.peer = new PipeEnd(this, 'peer', owner.clock)
  }

  /** Both sides are there, the peer's not read so far: bytes flow from here on. */
  start(client: StreamSocket, peer: StreamSocket): void {
    this.client.join(client, this.peer)
    this.peer.join(peer, this.client)
    peer.resume()
  }

  /** Closes both sides at once. */
  close(reason: string | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelTimer?.()
    this.client.close()
    this.peer.close()
    this.#owner.ended(reason)
  }

  /** For its ends: for how long to rest. */
  carried(bytes: number, from: PipeSide): number {
    this.#carried += bytes
    return this.#owner.carried(bytes, from)
  }

  /** For its ends: one direction is over, and the other may go on while anything gets through. */
  halfClosed(): void {
    if (this.#cancelTimer === undefined) this.#watchSilence()
  }

  /** For its ends: closed in order, the other may still be on its way to that; by a fault, it is closed too. */
  closed(end: PipeEnd, reason: string | undefined): void {
    const other = end === this.client ? this.peer : this.client
    if (reason !== undefined || other.isClosed || !other.hasEnded) this.close(reason)
  }

  #watchSilence(): void {
    const { clock } = this.#owner
    const before = this.#delivered
    this.#cancelTimer = clock.schedule(later(clock.now(), silenceMs), () => {
      if (this.#delivered === before) this.close('silent')
      else this.#watchSilence()
    })
  }

  get #delivered(): number {
    return this.#carried - this.client.pendingBytes - this.peer.pendingBytes
  }
}

/** One side of a pipe: hears of its own connection, and writes to the other's. */
export class PipeEnd implements StreamHandlers {
  readonly #pipe: Pipe
  readonly #side: PipeSide
  readonly #clock: Clock
  #socket: StreamSocket | undefined
  #other: PipeEnd | undefined
  #cancelRest: (() => void) | undefined
  /** Nothing more will come from there. */
  hasEnded = false
  isClosed = false

  constructor(pipe: Pipe, side: PipeSide, clock: Clock) {
    this.#pipe = pipe
    this.#side = side
    this.#clock = clock
  }

  get pendingBytes(): number {
    return this.#socket?.pendingBytes ?? 0
  }

  join(socket: StreamSocket, other: PipeEnd): void {
    this.#socket = socket
    this.#other = other
  }

  data(bytes: Uint8Array): void {
    this.#other?.write(bytes)
    const restMs = this.#pipe.carried(bytes.length, this.#side)
    if (restMs > 0) this.#rest(restMs)
    else if (this.#isHeldUp) this.#socket?.pause()
  }

  /** All that was written there is out: who sends it may go on. */
  drained(): void {
    this.#other?.goOn()
  }

  ended(): void {
    this.hasEnded = true
    this.#other?.end()
    this.#pipe.halfClosed()
  }

  closed(reason: string | undefined): void {
    this.isClosed = true
    this.#pipe.closed(this, reason)
  }

  close(): void {
    this.#cancelRest?.()
    this.#socket?.close()
  }

  opened(): void {}
  failed(): void {}

  /** For the other end. */
  write(bytes: Uint8Array): void {
    this.#socket?.write(bytes)
  }

  /** For the other end. */
  end(): void {
    this.#socket?.end()
  }

  /** For the other end: reads on, unless there is another reason not to. */
  goOn(): void {
    if (this.#cancelRest === undefined && !this.#isHeldUp) this.#socket?.resume()
  }

  get #isHeldUp(): boolean {
    return (this.#other?.pendingBytes ?? 0) > pendingLimitBytes
  }

  #rest(milliseconds: number): void {
    this.#cancelRest?.()
    this.#socket?.pause()
    this.#cancelRest = this.#clock.schedule(later(this.#clock.now(), milliseconds), () => {
      this.#cancelRest = undefined
      this.goOn()
    })
  }
}
