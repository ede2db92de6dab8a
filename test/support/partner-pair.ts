/** Two ends of a link between partners in simulated time, and a wire between them that a test can tamper with. */

import { type Instant, instant, later } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { PartnerRequest } from '../../src/turn/partner/datagram.ts'
import { PartnerLink, type PartnerOutput } from '../../src/turn/partner/link.ts'
import { seededRandom } from './random.ts'

export const key = new TextEncoder().encode('0123456789abcdef0123456789abcdef')
export const otherKey = new TextEncoder().encode('fedcba9876543210fedcba9876543210')

export function ports(ip: string, first = 3478, second = first + 1) {
  return [TransportAddress.of(ip, first), TransportAddress.of(ip, second)] as const
}

export const addressesOf = { a: ports('198.51.100.1'), b: ports('198.51.100.2') } as const

export type End = keyof typeof addressesOf

export interface OnWire {
  readonly from: End
  readonly lane: number
  readonly bytes: Uint8Array
  /** The length says which type it has. */
  readonly type: 'heartbeat' | 'request'
}

export const requestLength = 116

export class PartnerPair {
  readonly links: Record<End, PartnerLink>
  /** What the ends have said, but for what they sent. */
  readonly events: Record<End, Exclude<PartnerOutput, { type: 'send' }>[]> = { a: [], b: [] }
  /** All that has been sent, as it was. */
  readonly wire: OnWire[] = []
  /** What arrives of a datagram; undefined: nothing. */
  carry: (packet: OnWire) => Uint8Array | undefined = ({ bytes }) => bytes
  now: Instant = instant(1_000_000)
  readonly #random: ReturnType<typeof seededRandom>
  readonly #stopped = new Set<End>()

  /** By how much each end's own clock is ahead. */
  readonly #aheadMs: Record<End, number>

  constructor(seed = 1, aheadMs = 0) {
    this.#aheadMs = { a: 0, b: aheadMs }
    this.#random = seededRandom(seed)
    this.links = { a: this.#newLink('a'), b: this.#newLink('b') }
  }

  restart(end: End, addresses: (typeof addressesOf)[End] = addressesOf[end], keys = [key]): void {
    this.links[end] = new PartnerLink({ addresses, keys }, this.#random, this.#clock(end))
    this.#stopped.delete(end)
  }

  stop(end: End): void {
    this.#stopped.add(end)
  }

  elapse(seconds: number): void {
    const until = later(this.now, seconds * 1000)
    for (;;) {
      const running = (['a', 'b'] as const).filter((end) => !this.#stopped.has(end))
      const due = running.map((end) => this.#due(end))
      const next = Math.min(...due) as Instant
      if (!(next <= until)) break
      this.now = next
      for (const end of running) {
        if (this.#due(end) <= next) this.links[end].handleTimeout(this.#clock(end))
        this.drain()
      }
    }
    this.now = until
  }

  /** Both are there for each other. */
  connect(): this {
    this.elapse(3)
    if (!this.links.a.isUp || !this.links.b.isUp) throw new Error('the two have not found each other')
    this.events.a.length = 0
    this.events.b.length = 0
    return this
  }

  forward(from: End, request: PartnerRequest): boolean {
    const isTaken = this.links[from].forward(request, this.#clock(from))
    this.drain()
    return isTaken
  }

  /** Hands in what is not on the wire, at that end. */
  inject(to: End, bytes: Uint8Array, lane = 0): void {
    this.links[to].handleDatagram(lane, bytes, this.#clock(to))
    this.drain()
  }

  drain(): void {
    for (let isBusy = true; isBusy; ) {
      isBusy = false
      for (const end of ['a', 'b'] as const) {
        for (let output = this.links[end].poll(); output !== undefined; output = this.links[end].poll()) {
          isBusy = true
          if (output.type === 'send') this.#deliver(end, output.lane, output.bytes)
          else this.events[end].push(output)
        }
      }
    }
  }

  #deliver(from: End, lane: number, bytes: Uint8Array): void {
    const to = from === 'a' ? 'b' : 'a'
    const type = bytes.length === requestLength ? 'request' : 'heartbeat'
    const packet: OnWire = { from, lane, bytes: bytes.slice(), type }
    this.wire.push(packet)
    const arriving = this.#stopped.has(to) ? undefined : this.carry(packet)
    if (arriving !== undefined) this.links[to].handleDatagram(lane, arriving.slice(), this.#clock(to))
  }

  #clock(end: End): Instant {
    return later(this.now, this.#aheadMs[end])
  }

  #due(end: End): number {
    return this.links[end].pollTimeout() - this.#aheadMs[end]
  }

  #newLink(end: End): PartnerLink {
    return new PartnerLink({ addresses: addressesOf[end], keys: [key] }, this.#random, this.#clock(end))
  }
}

const client = TransportAddress.of('203.0.113.9', 40_000)

export const request: PartnerRequest = {
  client,
  destination: client,
  transactionId: Uint8Array.from({ length: 12 }, (_, i) => i),
  askedPort: 0,
  answerPort: 1,
  paddedLength: 0,
}
