/**
 * All that happened to packets, as one running hash: two runs of one seed agree in every packet, byte and
 * millisecond, or their hashes differ. The lines themselves are only made for who asks.
 */

import type { Instant } from '../core/time.ts'
import type { Packet } from './packet.ts'

export type PacketFate =
  | 'sent'
  | 'delivered'
  | 'lost'
  | 'queue full'
  | 'too big'
  | 'duplicated'
  | 'no route'
  | 'hops used up'
  | 'filtered'
  | 'rejected'
  | 'interface down'
  | 'no listener'
  | 'intercepted'

/** `place` is the name of the host, router or network where it happened. */
export type TranscriptReader = (line: {
  readonly at: Instant
  readonly place: string
  readonly fate: PacketFate
  readonly packet: Packet
}) => void

export class Transcript {
  #high = 0x9e3779b9 | 0
  #low = 0x85ebca6b | 0
  #counts = new Map<PacketFate, number>()
  readonly readers: TranscriptReader[] = []

  /** 16 hexadecimal digits. */
  get hash(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  }

  count(fate: PacketFate): number {
    return this.#counts.get(fate) ?? 0
  }

  add(at: Instant, place: string, fate: PacketFate, packet: Packet): void {
    this.#counts.set(fate, (this.#counts.get(fate) ?? 0) + 1)
    this.#mix(Math.floor(at))
    this.#mix((at * 4096) | 0)
    this.#mix(fate.charCodeAt(0) ^ (fate.length << 8))
    this.#mix(packet.source.d ^ (packet.source.port << 16))
    this.#mix(packet.destination.d ^ (packet.destination.port << 16))
    this.#mix(packet.bytes.length)
    if (fate === 'sent') this.#mixBytes(packet.bytes)
    if (this.readers.length === 0) return
    const line = { at, place, fate, packet }
    for (const reader of this.readers) reader(line)
  }

  #mixBytes(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) this.#mix(bytes[i]!)
  }

  #mix(word: number): void {
    const high = Math.imul(this.#high ^ word, 0x01000193)
    this.#low = Math.imul(this.#low ^ word ^ (high >>> 15), 0xc2b2ae35)
    this.#high = high ^ (this.#low >>> 13)
  }
}
