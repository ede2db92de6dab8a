/** Round trips of one client through a server to a peer that echoes, one after the other, and how long they take. */

import { once } from 'node:events'
import type { RealStreamClient } from './real-streams.ts'
import { channelData } from './stream-speaker.ts'

/** Limit: a datagram that has not come back by then was lost, which loopback does not do to one alone. */
const patienceMs = 60_000

export class RoundTrips {
  readonly #client: RealStreamClient
  readonly #channel: number
  #count = 0

  constructor(client: RealStreamClient, channel: number) {
    this.#client = client
    this.#channel = channel
  }

  /** The milliseconds until the packet is back. */
  async once(): Promise<number> {
    const { socket, received } = this.#client
    const start = performance.now()
    const text = `round trip ${++this.#count}`
    received.length = 0
    socket.write(channelData(this.#channel, new TextEncoder().encode(text)))
    const isBack = () =>
      received.some((bytes) => Buffer.from(bytes.subarray(4, 4 + text.length)).toString() === text)
    while (!isBack()) await once(socket, 'data', { signal: AbortSignal.timeout(patienceMs) })
    return performance.now() - start
  }
}

export function median(values: readonly number[]): number {
  return [...values].sort((x, y) => x - y)[values.length >> 1]!
}
