/** What a TCP connection has received: put in order, kept until it is read, and how much more there is room for. */

export const receiveBufferBytes = 256 * 1024

export class TcpReceiver {
  #expected = 0
  #isFinReceived = false
  readonly #outOfOrder = new Map<number, { bytes: Uint8Array; fin: boolean }>()
  #unread: Uint8Array[] = []
  #unreadBytes = 0

  /** The sequence number that comes next: what is acknowledged. */
  get expected(): number {
    return this.#expected
  }

  get unreadBytes(): number {
    return this.#unreadBytes
  }

  get window(): number {
    return Math.max(receiveBufferBytes - this.#unreadBytes, 0)
  }

  /** Whether the other side has ended, and all of it was read. */
  get isAtEnd(): boolean {
    return this.#isFinReceived && this.#unread.length === 0
  }

  /** The SYN of the other side. */
  start(sequence: number): void {
    this.#expected = sequence + 1
  }

  add(sequence: number, bytes: Uint8Array, fin: boolean): void {
    if (sequence >= this.#expected) this.#outOfOrder.set(sequence, { bytes, fin })
    for (;;) {
      const next = this.#outOfOrder.get(this.#expected)
      if (next === undefined) return
      this.#outOfOrder.delete(this.#expected)
      this.#expected += next.bytes.length + (next.fin ? 1 : 0)
      if (next.bytes.length > 0) this.#unread.push(next.bytes)
      this.#unreadBytes += next.bytes.length
      if (next.fin) this.#isFinReceived = true
    }
  }

  /** The oldest bytes that were not read; undefined when there are none. */
  read(): Uint8Array | undefined {
    const bytes = this.#unread.shift()
    this.#unreadBytes -= bytes?.length ?? 0
    return bytes
  }
}
