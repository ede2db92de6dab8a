/** The clock of a thread that does not return to Node's event loop: read once a turn, timers in order. */

import { Deadlines, type Expiring, unscheduled } from '../../core/deadlines.ts'
import type { Clock } from '../../core/host.ts'
import type { EpochSeconds, Instant } from '../../core/time.ts'

class Timer implements Expiring {
  deadline: Instant
  heapIndex: number = unscheduled
  readonly callback: () => void

  constructor(deadline: Instant, callback: () => void) {
    this.deadline = deadline
    this.callback = callback
  }
}

export class TurnClock implements Clock {
  readonly #source: Clock
  readonly #timers = new Deadlines<Timer>()
  #now: Instant

  constructor(source: Clock) {
    this.#source = source
    this.#now = source.now()
  }

  /** When this turn began. It makes no object, however often it is asked. */
  now(): Instant {
    return this.#now
  }

  epochSeconds(): EpochSeconds {
    return this.#source.epochSeconds()
  }

  schedule(at: Instant, callback: () => void): () => void {
    const timer = new Timer(at, callback)
    this.#timers.schedule(timer, at)
    return () => this.#timers.cancel(timer)
  }

  /** Reads the time anew. */
  update(): void {
    this.#now = this.#source.now()
  }

  /** Milliseconds from the beginning of the turn until the next timer is due, rounded up; -1 when there is none. */
  get untilNext(): number {
    const { next } = this.#timers
    return next === undefined ? -1 : Math.min(Math.max(Math.ceil(next - this.#now), 0), longestWaitMs)
  }

  /** Whether there was one. */
  runDue(): boolean {
    let due = this.#timers.takeDue(this.#now)
    if (due === undefined) return false
    for (; due !== undefined; due = this.#timers.takeDue(this.#now)) due.callback()
    return true
  }
}

const longestWaitMs = 2 ** 31 - 1
