/** The deadlines of one TurnClient in one heap: its own timers by name, and those of permissions and channels. */

import { Deadlines, type Expiring, unscheduled } from '../../core/deadlines.ts'
import { type Instant, instant, later } from '../../core/time.ts'
import type { ClientChannel, ClientPermission } from './peers.ts'

const timerKinds = ['refresh', 'expiry', 'keepalive', 'allocate-deadline', 'close-deadline'] as const

export type TimerKind = (typeof timerKinds)[number]

export interface Timer extends Expiring {
  readonly kind: TimerKind
}

export class ClientTimers {
  readonly deadlines = new Deadlines<Timer | ClientPermission | ClientChannel>()
  readonly #timers = new Map(
    timerKinds.map((kind): [TimerKind, Timer] => [
      kind,
      { kind, deadline: instant(0), heapIndex: unscheduled },
    ]),
  )

  schedule(kind: TimerKind, delayMs: number, now: Instant): void {
    this.deadlines.schedule(this.#timers.get(kind)!, later(now, delayMs))
  }

  cancel(kind: TimerKind): void {
    this.deadlines.cancel(this.#timers.get(kind)!)
  }

  /** All but those of permissions and channels. */
  cancelAll(): void {
    for (const timer of this.#timers.values()) this.deadlines.cancel(timer)
  }

  isDue(kind: TimerKind, now: Instant): boolean {
    const timer = this.#timers.get(kind)!
    return timer.heapIndex !== unscheduled && timer.deadline <= now
  }
}
