/** A video stream of numbered frames, and what becomes of it at the other end. */

import { MediaStreamTrack, RtpHeader, RtpPacket } from 'werift'

export const framesPerSecond = 30
/** Of the clock of video (RFC 7741 §4.1). */
const ticksPerFrame = 90_000 / framesPerSecond
export const packetsPerFrame = 4
/** Of every host's line to the internet. */
export const oneWayMs = 10
const packetMs = 1000 / framesPerSecond / packetsPerFrame
const packetBytes = 1000

/** As encoders' pacers do, it spreads the packets of a frame evenly until the next one. */
export class FrameSender {
  readonly track = new MediaStreamTrack({ kind: 'video' })
  packets = 0
  readonly #timer: NodeJS.Timeout
  readonly #startedAt = performance.now()

  constructor() {
    // Often enough to be punctual; each packet goes when it is due.
    this.#timer = setInterval(() => {
      while (performance.now() - this.#startedAt >= this.packets * packetMs) this.#sendPacket()
    }, 2)
  }

  get frames(): number {
    return Math.floor(this.packets / packetsPerFrame)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.track.stop()
  }

  #sendPacket(): void {
    const { frames } = this
    const header = new RtpHeader({
      payloadType: 96,
      sequenceNumber: this.packets & 0xffff,
      timestamp: frames * ticksPerFrame,
      marker: this.packets % packetsPerFrame === packetsPerFrame - 1,
    })
    const payload = Buffer.alloc(packetBytes)
    payload.writeUInt32BE(frames, 0)
    this.track.writeRtp(new RtpPacket(header, payload))
    this.packets++
  }
}

/** Frames are delivered in their order, when all of their packets are there; one that is not after a second is given up. */
export class FrameReceiver {
  readonly deliveredAt: number[] = []
  lost = 0
  readonly #packets = new Map<number, Set<number>>()
  readonly #completedAt = new Map<number, number>()
  readonly #firstSeenAt = new Map<number, number>()
  #next: number | undefined

  receive({ header, payload }: RtpPacket): void {
    const now = performance.now()
    const frame = payload.readUInt32BE(0)
    this.#next ??= frame
    if (frame < this.#next) return
    const packets = this.#packets.get(frame) ?? new Set()
    this.#packets.set(frame, packets.add(header.sequenceNumber))
    if (!this.#firstSeenAt.has(frame)) this.#firstSeenAt.set(frame, now)
    if (packets.size === packetsPerFrame) this.#completedAt.set(frame, now)
    this.#deliver(now)
  }

  /** Milliseconds between one frame delivered and the next, and to the end, from the shortest to the longest. */
  gaps(end: number): number[] {
    return [...this.deliveredAt.slice(1), end].map((at, i) => at - this.deliveredAt[i]!).sort((x, y) => x - y)
  }

  #deliver(now: number): void {
    for (let next = this.#next!; ; next++) {
      if (this.#completedAt.has(next)) this.deliveredAt.push(now)
      else if (this.#isGivenUp(next, now)) this.lost++
      else {
        this.#next = next
        return
      }
      this.#packets.delete(next)
      this.#completedAt.delete(next)
      this.#firstSeenAt.delete(next)
    }
  }

  /** Something later has been waiting for it for a second. */
  #isGivenUp(frame: number, now: number): boolean {
    for (const [other, at] of this.#firstSeenAt) if (other >= frame && now - at > 1000) return true
    return false
  }
}

export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN
}
