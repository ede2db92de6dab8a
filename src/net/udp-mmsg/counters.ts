/** What a batching driver counts. All numbers only grow. */

export class IoCounters {
  received = 0
  sent = 0
  /** System calls that sent something, and messages in them: a segmented run is one message. */
  sendCalls = 0
  sentMessages = 0
  receiveCalls = 0
  /** Messages that came as several datagrams in one piece. */
  coalesced = 0
  /** Datagrams that were longer than their slot, or whose source was no IP address. */
  unreadable = 0
  /** Packets that the system refused, by the name of errno. */
  readonly refused = new Map<string, number>()
  readonly #untold = new Map<string, number>()

  refuse(reason: string, packets: number): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + packets)
    this.#untold.set(reason, (this.#untold.get(reason) ?? 0) + packets)
  }

  /** Tells of what has been refused since the last time. */
  tellRefused(tell: (reason: string, packets: number) => void): void {
    if (this.#untold.size === 0) return
    for (const [reason, packets] of this.#untold) tell(reason, packets)
    this.#untold.clear()
  }
}
