/**
 * What is written to a connection in one turn of the event loop, gathered in one buffer and handed to the system at
 * the turn's end: one write for a hundred packets, and one TLS record rather than a hundred. While a write has not
 * been taken by the system, what follows it is gathered too, so that waiting bytes fill their buffers.
 */

import type { Socket } from 'node:net'

/** A connection starts with the first, and gets twice as much whenever one turn was too much for it. */
const smallestBuffer = 2 * 1024
const largestBuffer = 64 * 1024

/** Limit: what is kept of each size for the next turn, whoever has used it. */
const spareBytes = 1024 * 1024

export class StreamOutbox {
  readonly #socket: Socket
  readonly #drained: () => void
  /** One function for all writes: they are done in the order in which they were made. */
  readonly #written: () => void
  /** What the system has not done with, oldest first. */
  readonly #inFlight: Uint8Array[] = []
  #buffer: Uint8Array | undefined
  #used = 0
  #size = smallestBuffer
  #isDue = false
  #hasWaited = false

  /** `drained` is called when all is out after something had to wait. */
  constructor(socket: Socket, drained: () => void) {
    this.#socket = socket
    this.#drained = drained
    this.#written = () => this.#afterWrite()
  }

  get pendingBytes(): number {
    return this.#used + this.#socket.writableLength
  }

  write(bytes: Uint8Array): void {
    const { length } = bytes
    if (length > largestBuffer) {
      this.#handOver()
      this.#hand(bytes, bytes)
      return
    }
    if (this.#used + length > this.#size) this.#grow(length)
    this.#buffer ??= takeBuffer(this.#size)
    this.#buffer.set(bytes, this.#used)
    this.#used += length
    if (this.#isDue) return
    this.#isDue = true
    due.push(this)
    if (due.length === 1) setImmediate(flushDue)
  }

  /** Hands all of it to the system now, as before the end of our side. */
  flush(): void {
    this.#handOver()
  }

  turnEnded(): void {
    this.#isDue = false
    if (this.#inFlight.length > 0) return
    const isMuch = this.#used * 4 > this.#size
    this.#handOver()
    if (!isMuch && this.#size > smallestBuffer) this.#size /= 2
  }

  #grow(length: number): void {
    this.#handOver()
    do {
      if (this.#size < largestBuffer) this.#size *= 2
    } while (this.#size < length)
  }

  #handOver(): void {
    const buffer = this.#buffer
    if (buffer === undefined) return
    const used = this.#used
    this.#buffer = undefined
    this.#used = 0
    this.#hand(buffer.subarray(0, used), buffer)
  }

  #hand(bytes: Uint8Array, buffer: Uint8Array): void {
    if (!this.#socket.writable) return
    this.#inFlight.push(buffer)
    this.#socket.write(bytes, this.#written)
    if (this.#socket.writableLength > 0) this.#hasWaited = true
  }

  #afterWrite(): void {
    const buffer = this.#inFlight.shift()
    if (buffer !== undefined) giveBuffer(buffer)
    if (this.#inFlight.length > 0) return
    if (!this.#isDue) this.#handOver()
    if (!this.#hasWaited || this.pendingBytes > 0) return
    this.#hasWaited = false
    this.#drained()
  }
}

/** Connections with something to hand over at the end of this turn. */
let due: StreamOutbox[] = []

function flushDue(): void {
  const outboxes = due
  due = []
  for (const outbox of outboxes) outbox.turnEnded()
}

/** Zeroed when new, so that nothing but what was written into them can leave. */
const spares = new Map<number, Uint8Array[]>()

function takeBuffer(size: number): Uint8Array {
  return spares.get(size)?.pop() ?? new Uint8Array(size)
}

function giveBuffer(buffer: Uint8Array): void {
  const { length } = buffer
  if (length > largestBuffer) return
  const list = spares.get(length) ?? []
  spares.set(length, list)
  if ((list.length + 1) * length <= spareBytes) list.push(buffer)
}
