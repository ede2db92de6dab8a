/**
 * One direction of a line: what it does to packets. Delay, jitter, loss (single or in bursts), reordering,
 * duplicates, bandwidth with a queue, and the longest packet.
 */

import { type Instant, instant } from '../core/time.ts'
import { SimEvent } from './event-queue.ts'
import type { Packet } from './packet.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { World } from './world.ts'

/**
 * Loss in bursts (Gilbert and Elliott): a good and a bad state. All fields are probabilities; the first two are
 * per packet.
 */
export interface BurstLoss {
  readonly enter: number
  readonly leave: number
  /** In the bad state; 1 unless given. */
  readonly bad?: number
  /** In the good state; 0 unless given. */
  readonly good?: number
}

export interface LinkOptions {
  readonly delayMs?: number
  /** Up to that much is added to the delay. Order is kept. */
  readonly jitterMs?: number
  /** The fraction of packets that get lost, or the model of bursts. */
  readonly loss?: number | BurstLoss
  /** The fraction of packets that others overtake, because they are held back by `reorderMs`. */
  readonly reorder?: number
  readonly reorderMs?: number
  /** The fraction of packets that arrive twice. */
  readonly duplicate?: number
  readonly bitsPerSecond?: number
  /** What waits for a busy line; what does not fit is lost. */
  readonly queueBytes?: number
  /** The longest packet. */
  readonly mtu?: number
  /** What becomes of longer ones: fragments, each of which can get lost, or nothing. */
  readonly oversized?: 'fragmented' | 'dropped'
}

export interface Receiver {
  receive(packet: Packet): void
}

export const defaultLink = {
  delayMs: 0,
  jitterMs: 0,
  loss: 0,
  reorder: 0,
  reorderMs: 10,
  duplicate: 0,
  bitsPerSecond: Number.POSITIVE_INFINITY,
  queueBytes: 256 * 1024,
  mtu: 1500,
  oversized: 'fragmented',
} as const satisfies LinkOptions

export class Link {
  readonly #world: World
  readonly #place: string
  readonly #receiver: Receiver
  /** A packet never arrives while its sender is still sending it. */
  readonly #isDeferred: boolean
  readonly #random: SeededRandom
  #options: Required<LinkOptions>
  #isBad = false
  #busyUntil: Instant = instant(0)
  #lastArrival: Instant = instant(0)

  constructor(world: World, place: string, receiver: Receiver, options: LinkOptions, isDeferred: boolean) {
    this.#world = world
    this.#place = place
    this.#receiver = receiver
    this.#isDeferred = isDeferred
    this.#random = world.random.fork()
    this.#options = { ...defaultLink, ...options }
  }

  /** Changes what is named; packets that are on their way arrive as they would have. */
  change(options: LinkOptions): void {
    this.#options = { ...this.#options, ...options }
  }

  send(packet: Packet): void {
    const options = this.#options
    const { queue } = this.#world
    const fragments = packet.size > options.mtu ? Math.ceil(packet.size / options.mtu) : 1
    if (fragments > 1 && options.oversized === 'dropped') {
      this.#world.note(this.#place, 'too big', packet)
      return
    }
    for (let i = 0; i < fragments; i++) {
      if (!this.#loses()) continue
      this.#world.note(this.#place, 'lost', packet)
      return
    }
    // Not the queue's time: in real time a program may send between two events.
    const now = this.#world.now
    let at: number = now
    if (options.bitsPerSecond !== Number.POSITIVE_INFINITY) {
      const waiting = Math.max(this.#busyUntil - at, 0)
      if ((waiting * options.bitsPerSecond) / 8000 > options.queueBytes) {
        this.#world.note(this.#place, 'queue full', packet)
        return
      }
      at += waiting + (packet.size * 8000) / options.bitsPerSecond
      this.#busyUntil = instant(at)
    }
    at += options.delayMs
    if (options.jitterMs > 0) at += this.#random.fraction() * options.jitterMs
    if (this.#random.chance(options.reorder)) at += options.reorderMs
    else {
      at = Math.max(at, this.#lastArrival)
      this.#lastArrival = instant(at)
    }
    const isTwice = this.#random.chance(options.duplicate)
    if (isTwice) {
      const copy = packet.clone()
      this.#world.note(this.#place, 'duplicated', packet)
      queue.add(new Arrival(copy, this.#receiver), instant(at))
    }
    if (at > now || this.#isDeferred || isTwice) queue.add(new Arrival(packet, this.#receiver), instant(at))
    else this.#receiver.receive(packet)
  }

  #loses(): boolean {
    const { loss } = this.#options
    if (typeof loss === 'number') return this.#random.chance(loss)
    this.#isBad = this.#isBad ? !this.#random.chance(loss.leave) : this.#random.chance(loss.enter)
    return this.#random.chance(this.#isBad ? (loss.bad ?? 1) : (loss.good ?? 0))
  }
}

class Arrival extends SimEvent {
  readonly #packet: Packet
  readonly #receiver: Receiver

  constructor(packet: Packet, receiver: Receiver) {
    super()
    this.#packet = packet
    this.#receiver = receiver
  }

  fire(): void {
    this.#receiver.receive(this.#packet)
  }
}
