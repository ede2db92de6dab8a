/**
 * The checklist of one data stream (RFC 8445 §6.1.2): pairs by priority, the triggered-check queue, and one component
 * state for each component.
 */

import type { CandidatePair } from './candidate-pair.ts'
import type { Component } from './component.ts'
import { comparePriority } from './pair-priority.ts'

/** RFC 8445 §6.1.2.1. */
export type ChecklistState = 'running' | 'completed' | 'failed'

export class Checklist {
  readonly stream: number
  readonly components: readonly Component[]
  state: ChecklistState = 'running'
  /** By priority, the best first. */
  readonly pairs: CandidatePair[] = []
  readonly #triggered: CandidatePair[] = []

  constructor(stream: number, components: readonly Component[]) {
    this.stream = stream
    this.components = components
  }

  component(id: number): Component | undefined {
    return this.components[id - 1]
  }

  get hasTriggered(): boolean {
    return this.#triggered.length > 0
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

/** What the set of checklists knows about a foundation (RFC 8445 §6.1.2.6). */
export interface FoundationState {
  isActive: boolean
  hasSucceeded: boolean
}

/** A set of checklists, in the order in which Ta goes round (RFC 8445 §6.1.4.2). */
export class ChecklistSet {
  readonly lists: readonly Checklist[]
  hasBegun = false
  #next = 0

  constructor(lists: readonly Checklist[]) {
    this.lists = lists
  }

  /** Pairs of all streams, stream by stream. */
  *pairs(): Iterable<CandidatePair> {
    for (const list of this.lists) yield* list.pairs
  }

  get size(): number {
    return this.lists.reduce((sum, list) => sum + list.pairs.length, 0)
  }

  /**
   * The checklists that have not failed, beginning with the one whose turn it is. A completed one has checks to make when
   * the peer turns up at a new address, or when a better pair may still replace the selected one.
   */
  inTurn(): Checklist[] {
    const { length } = this.lists
    return this.lists
      .map((_, i) => this.lists[(this.#next + i) % length]!)
      .filter((list) => list.state !== 'failed')
  }

  /** The turn goes to the list behind `list`. */
  tookTurn(list: Checklist): void {
    this.#next = (this.lists.indexOf(list) + 1) % this.lists.length
  }

  foundation(foundation: string): FoundationState {
    const state = { isActive: false, hasSucceeded: false }
    for (const pair of this.pairs()) {
      if (pair.foundation !== foundation) continue
      if (pair.state === 'waiting' || pair.state === 'in-progress') state.isActive = true
      if (pair.state === 'succeeded') state.hasSucceeded = true
    }
    return state
  }

  /** Whether Ta has anything to do. */
  get hasWork(): boolean {
    return this.lists.some(
      (list) =>
        list.state !== 'failed' &&
        (list.hasTriggered ||
          list.pairs.some(
            (pair) =>
              pair.state === 'waiting' ||
              (pair.state === 'frozen' && (!this.hasBegun || !this.foundation(pair.foundation).isActive)),
          )),
    )
  }

  /** A pair has succeeded: others of its foundation need not wait for it any more (RFC 8445 §7.2.5.3.3). */
  unfreeze(foundation: string): void {
    for (const pair of this.pairs()) {
      if (pair.state === 'frozen' && pair.foundation === foundation) pair.state = 'waiting'
    }
  }

  /** Step 2 of RFC 8445 §6.1.4.2: frozen pairs of one list whose foundation is at rest. */
  thaw(list: Checklist): void {
    for (const pair of list.pairs) {
      if (pair.state === 'frozen' && !this.foundation(pair.foundation).isActive) pair.state = 'waiting'
    }
  }

  /** The states that all pairs start with: one of each foundation is Waiting (RFC 8445 §6.1.2.6 step 4). */
  begin(): void {
    this.hasBegun = true
    for (const list of this.lists) {
      for (const pair of list.pairs) {
        if (pair.state === 'frozen' && this.#isTopmost(pair, list)) pair.state = 'waiting'
      }
    }
  }

  /** The state of a pair that comes later (RFC 8838 §12). */
  stateOfNew(pair: CandidatePair, list: Checklist): 'waiting' | 'frozen' {
    if (!this.hasBegun) return 'frozen'
    if (this.foundation(pair.foundation).hasSucceeded || this.#isTopmost(pair, list)) return 'waiting'
    return 'frozen'
  }

  /** The first of its foundation: by list, then by component, then by priority. */
  #isTopmost(pair: CandidatePair, list: Checklist): boolean {
    for (const other of this.lists) {
      for (const rival of other.pairs) {
        if (rival === pair || rival.foundation !== pair.foundation) continue
        if (other !== list || ranksBefore(rival, pair)) return false
      }
      if (other === list) return true
    }
    return true
  }
}

function ranksBefore(x: CandidatePair, y: CandidatePair): boolean {
  return (
    x.component - y.component < 0 ||
    (x.component === y.component && comparePriority(x.priority, y.priority) > 0)
  )
}
