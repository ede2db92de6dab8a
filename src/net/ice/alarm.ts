/** One timer for whatever is due first. */

import type { Clock } from '../../core/host.ts'
import type { Instant } from '../../core/time.ts'

export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #setFor: Instant | undefined
  #cancel: () => void = () => {}

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /**
   * Rings at `due`, or earlier and for nothing: a timer that comes too early is set again when it comes, which is
   * cheaper than to move it with every packet. Undefined: what is set may still ring.
   */
  set(due: Instant | undefined): void {
    if (due === undefined || (this.#setFor !== undefined && this.#setFor <= due)) return
    this.#cancel()
    this.#setFor = due
    this.#cancel = this.#clock.schedule(due, () => {
      this.#setFor = undefined
      this.#ring()
    })
  }

  clear(): void {
    this.#cancel()
    this.#setFor = undefined
  }
}
