/** When which check is sent: one for each Ta, over all streams and generations of a session (RFC 8445 §6.1.4.2, §14.2). */

import { earliest, type Instant, instant, later } from '../core/time.ts'
import type { Generations } from './generations.ts'
import type { LiveGeneration } from './live-generation.ts'
import type { Session } from './session.ts'

export class Scheduler {
  readonly #session: Session
  readonly #generations: Generations
  #nextCheckAt: Instant = instant(Number.NEGATIVE_INFINITY)

  constructor(session: Session, generations: Generations) {
    this.#session = session
    this.#generations = generations
  }

  /** When there is something to send, and it may be sent; undefined while there is nothing. */
  get nextDeadline(): Instant | undefined {
    const { pacer } = this.#session.options
    const nomination = this.#generations.hasNominations ? pacer.freeAt : undefined
    return earliest(nomination, this.#hasWork ? this.#nextSlot : undefined)
  }

  /** Sends what is due, one check at the most. */
  run(now: Instant): void {
    // Deviation: RFC 8445 §14.2 has nominations wait for Ta too. They go over a path that is open already, and wait for what
    // all agents together keep to.
    if (this.#generations.hasNominations && this.#session.options.pacer.freeAt <= now) {
      this.#generations.nominateNext(now)
      this.#tookSlot(now)
    }
    if (!this.#hasWork || this.#nextSlot > now) return
    const { newest, active } = this.#generations
    // Where the new generation has nothing to do, the one in use may have to follow its peer to another address.
    const hasSent = this.#checkOne(newest, now) || (active !== newest && this.#checkOne(active, now))
    if (hasSent) this.#tookSlot(now)
    // Nothing that the policy wants to check yet.
    else this.#nextCheckAt = later(now, newest.generation.pacingMs)
  }

  #checkOne(live: LiveGeneration, now: Instant): boolean {
    const { set, remote } = live.generation
    if (remote === undefined) return false
    for (const list of set.inTurn()) {
      if (!live.checkNext(list, now)) continue
      set.tookTurn(list)
      return true
    }
    return false
  }

  #tookSlot(now: Instant): void {
    this.#session.options.pacer.take(now)
    this.#nextCheckAt = later(now, this.#generations.newest.generation.pacingMs)
  }

  get #hasWork(): boolean {
    if (this.#session.options.lite) return false
    const { newest, active } = this.#generations
    return hasWork(newest) || (active !== newest && hasWork(active))
  }

  get #nextSlot(): Instant {
    return instant(Math.max(this.#session.options.pacer.freeAt, this.#nextCheckAt))
  }
}

function hasWork({ generation }: LiveGeneration): boolean {
  return generation.remote !== undefined && generation.set.hasWork
}
