/** What all parts of one simulated internet share: the clock, the dice, the names and the transcript. */

import type { Clock } from '../core/host.ts'
import { type EpochSeconds, type Instant, later } from '../core/time.ts'
import { rootAuthority } from './certificate.ts'
import { EventQueue, SimEvent } from './event-queue.ts'
import type { Packet } from './packet.ts'
import { type Prefix, parsePrefix } from './prefix.ts'
import { SeededRandom } from './seeded-random.ts'
import { type PacketFate, Transcript } from './transcript.ts'
import { Zones } from './zones.ts'

/** Says whether a packet goes on. `place` is the name of the host that sends it. */
export type Interceptor = (packet: Packet, place: string) => boolean

export class World {
  readonly queue = new EventQueue()
  readonly transcript = new Transcript()
  readonly zones = new Zones()
  readonly random: SeededRandom
  readonly clock: Clock
  readonly interceptors: Interceptor[] = []
  /** PEM texts of what hosts trust. */
  readonly authorities = [rootAuthority.certificate]
  readonly #names = new Map<string, number>()
  #privatePrefixes = 0
  readonly #publicPrefixes = { IPv4: 0, IPv6: 0 }
  /** Reads the time; replaced while the internet runs in real time. */
  readTime: () => Instant = () => this.queue.now

  constructor(seed: number, epochSeconds: number) {
    this.random = new SeededRandom(seed)
    this.clock = {
      now: () => this.readTime(),
      epochSeconds: () => Math.floor(epochSeconds + this.readTime() / 1000) as EpochSeconds,
      schedule: (at, callback) => this.schedule(at, callback),
    }
  }

  get now(): Instant {
    return this.readTime()
  }

  /** The returned function cancels it. */
  schedule(at: Instant, callback: () => void): () => void {
    const event = new Callback(callback)
    this.queue.add(event, at)
    return () => this.queue.cancel(event)
  }

  /** After all that is happening now; in no time. */
  soon(callback: () => void): () => void {
    return this.schedule(this.now, callback)
  }

  after(milliseconds: number, callback: () => void): () => void {
    return this.schedule(later(this.now, milliseconds), callback)
  }

  note(place: string, fate: PacketFate, packet: Packet): void {
    this.transcript.add(this.queue.now, place, fate, packet)
  }

  /** `host-1`, `host-2` … */
  nameFor(kind: string): string {
    const number = (this.#names.get(kind) ?? 0) + 1
    this.#names.set(kind, number)
    return `${kind}-${number}`
  }

  /** An IPv4 network for the inside of a NAT that no other one has. */
  privatePrefix(): string {
    const number = ++this.#privatePrefixes
    return number < 255 ? `192.168.${number}.0/24` : `10.${number >> 8}.${number & 255}.0/24`
  }

  /** A network of public addresses that no other place has. */
  publicPrefix(family: 'IPv4' | 'IPv6'): Prefix {
    const number = ++this.#publicPrefixes[family]
    if (family === 'IPv6') return parsePrefix(`2600:1:${number.toString(16)}::/64`)
    return parsePrefix(`20.${16 + (number >> 8)}.${number & 255}.0/24`)
  }

  lets(packet: Packet, place: string): boolean {
    for (const interceptor of this.interceptors) if (!interceptor(packet, place)) return false
    return true
  }
}

class Callback extends SimEvent {
  readonly #callback: () => void

  constructor(callback: () => void) {
    super()
    this.#callback = callback
  }

  fire(): void {
    this.#callback()
  }
}
