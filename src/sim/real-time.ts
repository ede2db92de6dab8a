/** Keeps a simulated internet in step with the real clock: one timer, armed for the next event. */

import { instant } from '../core/time.ts'
import type { World } from './world.ts'

export class RealTime {
  readonly #world: World
  readonly #offset: number
  #timer: NodeJS.Timeout | undefined
  #isRunning = true

  constructor(world: World) {
    this.#world = world
    this.#offset = world.queue.now - performance.now()
    world.readTime = () => instant(performance.now() + this.#offset)
    world.queue.onEarlier = () => this.#arm()
    this.#arm()
  }

  /** Time stands still from now on, until somebody runs the internet again. */
  stop(): void {
    this.#isRunning = false
    clearTimeout(this.#timer)
    this.#world.queue.onEarlier = undefined
    this.#world.queue.advanceTo(this.#world.readTime())
    this.#world.readTime = () => this.#world.queue.now
  }

  #arm(): void {
    clearTimeout(this.#timer)
    const { next } = this.#world.queue
    if (!this.#isRunning || next === undefined) return
    this.#timer = setTimeout(() => this.#run(), Math.max(next - this.#world.readTime(), 0))
  }

  #run(): void {
    const { queue } = this.#world
    queue.onEarlier = undefined
    while (this.#isRunning && queue.step(this.#world.readTime()));
    if (!this.#isRunning) return
    queue.onEarlier = () => this.#arm()
    this.#arm()
  }
}
