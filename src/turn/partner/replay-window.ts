/** Which numbers of one sender have come already: each is taken once, and none that is far behind the newest. */

/** Limit: how far behind a datagram may come that the network has overtaken. */
export const replayWindow = 1024

export class ReplayWindow {
  /** At each number's remainder the newest with that remainder that has come. */
  readonly #newest = new Float64Array(replayWindow).fill(-1)
  #highest = -1

  /** Whether the number has not been here; it has from now on. */
  admit(counter: number): boolean {
    const slot = counter % replayWindow
    if (counter <= this.#highest - replayWindow || this.#newest[slot]! >= counter) return false
    this.#newest[slot] = counter
    this.#highest = Math.max(this.#highest, counter)
    return true
  }
}
