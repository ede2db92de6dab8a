/** Makes the allocations of a load, so many at a time, and frees them. The first one goes alone: what is wrong, it finds. */

import type { Clock } from '../core/host.ts'
import { later } from '../core/time.ts'
import type { Flow, FlowFault } from './flow.ts'

/** Limit: allocations under way at a time. */
const parallel = 32

export interface SetUpResult {
  readonly seconds: number
  /** Set-ups that took so long that something of them was lost or held back, and sent again. */
  readonly repeated: number
  readonly fault: FlowFault | undefined
}

/** Limit: how long those under way may still come to their end when one has failed. */
const patienceMs = 2000

/** RFC 8489 §6.2.1: the first retransmission is due after this. */
const retransmissionMs = 500

/** Starts one flow; tells when it is ready, or has failed. */
export type StartFlow = (ready: (flow: Flow) => void, failed: (flow: Flow, fault: FlowFault) => void) => void

export class SetUp {
  readonly #clock: Clock
  readonly #count: number
  readonly #start: StartFlow
  #started = 0
  #ready = 0
  #failed = 0
  #repeated = 0
  #fault: FlowFault | undefined
  #isAborted = false
  #finish: (() => void) | undefined

  constructor(count: number, clock: Clock, start: StartFlow) {
    this.#count = count
    this.#clock = clock
    this.#start = start
  }

  get ready(): number {
    return this.#ready
  }

  async run(): Promise<SetUpResult> {
    const startedAt = this.#clock.now()
    await new Promise<void>((resolve) => {
      this.#finish = resolve
      if (this.#isAborted) resolve()
      else this.#startNext()
    })
    return {
      seconds: (this.#clock.now() - startedAt) / 1000,
      repeated: this.#repeated,
      fault: this.#fault,
    }
  }

  /** Waits for no more. */
  abort(): void {
    this.#isAborted = true
    this.#finish?.()
  }

  #startNext(): void {
    const startedAt = this.#clock.now()
    this.#started++
    this.#start(
      () => {
        if (this.#clock.now() - startedAt >= retransmissionMs) this.#repeated++
        this.#ready++
        this.#goOn()
      },
      (_flow, fault) => {
        this.#failed++
        if (this.#fault === undefined) {
          this.#fault = fault
          this.#clock.schedule(later(this.#clock.now(), patienceMs), () => this.#finish?.())
        }
        this.#goOn()
      },
    )
  }

  #goOn(): void {
    const wanted = this.#fault === undefined ? this.#count : this.#started
    if (this.#ready + this.#failed === wanted) this.#finish?.()
    if (this.#isAborted || this.#fault !== undefined) return
    while (this.#started < this.#count && this.#started - this.#ready < parallel) this.#startNext()
  }
}

/** Frees the allocations of all flows, so many at a time. Resolves when all of them have ended. */
export function freeFlows(
  flows: readonly Flow[],
  onEnded: (callback: (flow: Flow) => void) => void,
  progress: (left: number) => void,
): Promise<void> {
  return new Promise((resolve) => {
    let next = 0
    let left = flows.length
    if (left === 0) resolve()
    onEnded(() => {
      left--
      progress(left)
      if (left === 0) resolve()
      else flows[next++]?.close()
    })
    while (next < Math.min(parallel, flows.length)) flows[next++]!.close()
  })
}
