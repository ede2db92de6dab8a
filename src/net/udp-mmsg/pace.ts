/**
 * How long to gather packets before waking up for them. A wake-up costs as much as many packets do, so with many of
 * them a short wait saves most of the processor's time; with few it would only delay them.
 */

import type { Instant } from '../../core/time.ts'

/** The rate is taken over at least this long. */
const windowMs = 2

/** Limit: from how many packets a second on, for how long. Interrupts of network cards are moderated alike. */
const steps = [
  { perMs: 64, gatherUs: 100 },
  { perMs: 16, gatherUs: 50 },
] as const

export class Pace {
  #since = 0
  #receivedBefore = 0
  gatherUs = 0

  /** To be told in every turn how many packets have come in all. */
  update(received: number, now: Instant): void {
    const elapsedMs = now - this.#since
    if (elapsedMs < windowMs) return
    const perMs = (received - this.#receivedBefore) / elapsedMs
    this.#since = now
    this.#receivedBefore = received
    this.gatherUs = gatherFor(perMs)
  }
}

function gatherFor(perMs: number): number {
  for (const step of steps) if (perMs >= step.perMs) return step.gatherUs
  return 0
}
