/**
 * The checklist of one data stream (RFC 8445 §6.1.2): pairs by priority, the triggered-check queue, and what each
 * component has come to.
 */

import type { CandidatePair } from './candidate-pair.ts'
import { Component } from './component.ts'
import { comparePriority } from './pair-priority.ts'

/** RFC 8445 §6.1.2.1. */
export type ChecklistState = 'running' | 'completed' | 'failed'

export class Checklist {
  readonly stream: number
  /** By number; fewer than at first if the peer has fewer (RFC 8445 §6.1.2.2). */
  components: readonly Component[]
  state: ChecklistState = 'running'
  /** By priority, the best first. */
  readonly pairs: CandidatePair[] = []
  readonly #triggered: CandidatePair[] = []

  constructor(stream: number, components: number) {
    this.stream = stream
    this.components = Array.from({ length: components }, (_, i) => new Component(stream, i + 1))
  }

  component(id: number): Component | undefined {
    return this.components[id - 1]
  }

  /** Without the components that the peer does not have. */
  limitComponents(count: number): void {
    this.components = this.components.slice(0, count)
    for (const pair of this.pairs.filter(({ component }) => component > count)) this.remove(pair)
  }

  pairsOf(component: Component): CandidatePair[] {
    return this.pairs.filter((pair) => pair.component === component.id)
  }

  insert(pair: CandidatePair): void {
    const at = this.pairs.findIndex((other) => comparePriority(other.priority, pair.priority) < 0)
    if (at < 0) this.pairs.push(pair)
    else this.pairs.splice(at, 0, pair)
  }

  remove(pair: CandidatePair): void {
    const at = this.pairs.indexOf(pair)
    if (at >= 0) this.pairs.splice(at, 1)
    this.unqueue(pair)
  }

  /** After priorities have changed. */
  sort(): void {
    this.pairs.sort((x, y) => comparePriority(y.priority, x.priority))
  }

  get hasTriggered(): boolean {
    return this.#triggered.length > 0
  }

  /** RFC 8445 §6.1.4.1: first in, first out, each pair once. */
  enqueue(pair: CandidatePair): void {
    if (pair.isQueued) return
    pair.isQueued = true
    this.#triggered.push(pair)
  }

  unqueue(pair: CandidatePair): void {
    if (!pair.isQueued) return
    pair.isQueued = false
    this.#triggered.splice(this.#triggered.indexOf(pair), 1)
  }

  takeTriggered(): CandidatePair | undefined {
    const pair = this.#triggered.shift()
    if (pair !== undefined) pair.isQueued = false
    return pair
  }

  /** Every pair has come to an end, one way or the other. */
  get isExhausted(): boolean {
    return this.pairs.every((pair) => pair.state === 'failed' || pair.state === 'succeeded')
  }

  get hasValidPairs(): boolean {
    return this.components.every((component) =>
      this.pairs.some((pair) => pair.component === component.id && pair.isValid),
    )
  }
}
