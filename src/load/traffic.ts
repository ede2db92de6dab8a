/**
 * Packets through flows, counted where they arrive. Each payload begins with the number of its run, so that what an earlier
 * one has left on the way is not counted, its own number, and the time it was sent.
 */

import type { Clock } from '../core/host.ts'
import type { Instant } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { LatencyHistogram, type LatencySummary } from './latency.ts'
import { type LoadPlan, windowPackets } from './plan.ts'

/** What traffic needs of a flow. */
export interface TrafficFlow {
  readonly relayed: TransportAddress | undefined
  /** To the peer. False if it was not sent. The payload is copied. */
  send(payload: Uint8Array): boolean
}

/** What traffic needs of the peer. */
export interface TrafficPeer {
  /** To a client. The bytes do not change afterwards. */
  send(payload: Uint8Array, relayed: TransportAddress): void
}

export type TrafficPlan = Pick<LoadPlan, 'size' | 'rate' | 'direction' | 'burst' | 'seconds'> & {
  /** Ends earlier, when so many packets have arrived. */
  readonly packets?: number
}

export interface WayCount {
  readonly sent: number
  readonly received: number
}

export interface TrafficResult {
  /** For how long was sent. */
  readonly seconds: number
  /** From clients to the peer. */
  readonly up: WayCount
  /** From the peer to clients. */
  readonly down: WayCount
  /** Milliseconds from sending to arriving; undefined if nothing has arrived. */
  readonly latency: LatencySummary | undefined
}

/** Packets sent in one go, before what has come is taken in again. */
const batch = 64
/** Packets are under way no longer than two of these: then they are lost. */
const forgetMs = 500
/** How long is waited for the last packets after one has come. */
const patienceMs = 300

type Way = 'up' | 'down'

export class Traffic {
  readonly #clock: Clock
  readonly #nextTurn: (callback: () => void) => void
  readonly #flows: readonly TrafficFlow[]
  readonly #peer: TrafficPeer
  readonly #plan: TrafficPlan
  readonly #run: number
  readonly #payload: Uint8Array
  readonly #stamp = new Float64Array(1)
  readonly #stampBytes = new Uint8Array(this.#stamp.buffer)
  readonly #latencies = new LatencyHistogram()
  readonly #sent: Record<Way, number> = { up: 0, down: 0 }
  readonly #received: Record<Way, number> = { up: 0, down: 0 }
  /** How many had been sent when the newest that has arrived was. */
  readonly #passed: Record<Way, number> = { up: 0, down: 0 }
  #cursor = 0
  #startedAt: Instant
  #stoppedAt: Instant | undefined
  #lastArrivalAt: Instant
  /** What had been sent at the last two looks: older packets count as lost. */
  #looks: readonly [number, number] = [0, 0]
  #nextLookAt = 0
  #isAborted = false
  #finish: (result: TrafficResult) => void = () => {}

  /** `run` tells this one's packets from those of others. */
  constructor(
    flows: readonly TrafficFlow[],
    peer: TrafficPeer,
    plan: TrafficPlan,
    run: number,
    clock: Clock,
    nextTurn: (callback: () => void) => void,
  ) {
    this.#flows = flows
    this.#peer = peer
    this.#plan = plan
    this.#run = run
    this.#clock = clock
    this.#nextTurn = nextTurn
    this.#payload = new Uint8Array(plan.size)
    this.#startedAt = clock.now()
    this.#lastArrivalAt = this.#startedAt
  }

  /** Sends for as long as planned, waits for what is on its way, and tells. */
  start(): Promise<TrafficResult> {
    this.#startedAt = this.#clock.now()
    this.#nextLookAt = this.#startedAt + forgetMs
    this.#nextTurn(this.#turn)
    return new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  /** Sends no more, and tells what is known by now. */
  abort(): void {
    this.#isAborted = true
  }

  get elapsedMs(): number {
    return this.#clock.now() - this.#startedAt
  }

  get sent(): number {
    return this.#sent.up + this.#sent.down
  }

  get received(): number {
    return this.#received.up + this.#received.down
  }

  /** A payload has arrived. */
  arrived(way: Way, bytes: Uint8Array): void {
    if (bytes.length !== this.#payload.length || readInt32(bytes, 0) !== this.#run) return
    for (let i = 0; i < 8; i++) this.#stampBytes[i] = bytes[8 + i]!
    this.#received[way]++
    this.#passed[way] = Math.max(this.#passed[way], Math.min(readInt32(bytes, 4), this.#sent[way]))
    this.#lastArrivalAt = this.#clock.now()
    this.#latencies.add(this.#lastArrivalAt - this.#stamp[0]!)
  }

  readonly #turn = () => {
    const now = this.#clock.now()
    if (this.#stoppedAt === undefined) {
      const { seconds, packets = Number.POSITIVE_INFINITY } = this.#plan
      const isOver = now - this.#startedAt >= seconds * 1000 || this.received >= packets
      if (!isOver && !this.#isAborted) this.#send(now)
      else this.#stoppedAt = now
    }
    if (this.#stoppedAt !== undefined && this.#isSettled(now)) this.#finish(this.#result())
    else this.#nextTurn(this.#turn)
  }

  #isSettled(now: Instant): boolean {
    if (this.#isAborted || this.received >= this.sent) return true
    return now - Math.max(this.#lastArrivalAt, this.#stoppedAt!) > patienceMs
  }

  #send(now: Instant): void {
    const allowed = Math.min(batch, this.#allowance(now))
    if (allowed <= 0) return
    this.#stamp[0] = now
    writeInt32(this.#payload, 0, this.#run)
    this.#payload.set(this.#stampBytes, 8)
    for (let i = 0; i < allowed; i++) this.#sendNext()
  }

  #allowance(now: Instant): number {
    const { rate } = this.#plan
    if (rate !== undefined) return Math.floor(((now - this.#startedAt) * rate) / 1000) - this.sent
    if (now >= this.#nextLookAt) {
      this.#looks = [this.#looks[1], this.sent]
      this.#nextLookAt = now + forgetMs
    }
    // Packets before one that has arrived have arrived too, or are lost.
    return windowPackets - (this.sent - Math.max(this.#passed.up + this.#passed.down, this.#looks[0]))
  }

  #sendNext(): void {
    const { direction, burst } = this.#plan
    const turn = direction === 'both' ? this.#cursor >> 1 : this.#cursor
    const way: Way = direction === 'both' ? ((this.#cursor & 1) === 0 ? 'up' : 'down') : direction
    this.#cursor = (this.#cursor + 1) & 0x3fff_ffff
    const flow = this.#flows[Math.floor(turn / burst) % this.#flows.length]!
    writeInt32(this.#payload, 4, ++this.#sent[way])
    if (way === 'up') {
      // What a slow connection does not take is lost, as any other packet is.
      flow.send(this.#payload)
    } else if (flow.relayed !== undefined) {
      const payload = Buffer.allocUnsafe(this.#payload.length)
      payload.set(this.#payload)
      this.#peer.send(payload, flow.relayed)
    }
  }

  #result(): TrafficResult {
    return {
      seconds: (this.#stoppedAt! - this.#startedAt) / 1000,
      up: { sent: this.#sent.up, received: this.#received.up },
      down: { sent: this.#sent.down, received: this.#received.down },
      latency: this.#latencies.summary(),
    }
  }
}

function readInt32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = (value >>> (8 * i)) & 255
}
