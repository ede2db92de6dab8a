/** The checklists of a session in the order in which Ta goes round, and freezing across them (RFC 8445 §6.1.2.6, §6.1.4.2). */

import type { CandidatePair } from './candidate-pair.ts'
import type { Checklist } from './checklist.ts'
import { comparePriority } from './pair-priority.ts'

export class ChecklistSet {
  readonly lists: readonly Checklist[]
  #hasBegun = false
  #turn = 0

  constructor(lists: readonly Checklist[]) {
    this.lists = lists
  }

  *pairs(): Iterable<CandidatePair> {
    for (const list of this.lists) yield* list.pairs
  }

  get size(): number {
    return this.lists.reduce((sum, list) => sum + list.pairs.length, 0)
  }

  /** Pairs that count for the retransmission timer (RFC 8445 §14.3). */
  get activePairs(): number {
    let count = 0
    for (const { state } of this.pairs()) if (state === 'waiting' || state === 'in-progress') count++
    return count
  }

  /**
   * The checklists that have not failed, beginning with the one whose turn it is. A completed one has checks to make when
   * the peer turns up at a new address, or when a better pair may still replace the selected one.
   */
  inTurn(): Checklist[] {
    const { length } = this.lists
    return this.lists
      .map((_, i) => this.lists[(this.#turn + i) % length]!)
      .filter((list) => list.state !== 'failed')
  }

  /** The turn goes to the list behind `list`. */
  tookTurn(list: Checklist): void {
    this.#turn = (this.lists.indexOf(list) + 1) % this.lists.length
  }

  /** Whether Ta has anything to do. */
  get hasWork(): boolean {
    return this.lists.some(
      (list) =>
        list.state !== 'failed' && (list.hasTriggered || list.pairs.some((pair) => this.#isReady(pair))),
    )
  }

  #isReady(pair: CandidatePair): boolean {
    if (pair.state === 'waiting') return true
    return pair.state === 'frozen' && (!this.#hasBegun || !this.#isActive(pair.foundation))
  }

  /** The states that all pairs start with: one of each foundation is Waiting (RFC 8445 §6.1.2.6 step 4). */
  begin(): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    for (const list of this.lists) {
      for (const pair of list.pairs) {
        if (pair.state === 'frozen' && this.#isTopmost(pair, list)) pair.state = 'waiting'
      }
      this.#followMoved(list)
    }
  }

  /**
   * The state of a pair that comes later (RFC 8838 §12). Deviation: of two addresses of one component with the same
   * foundation one is what a NAT has made of the other since, and neither waits until the other has failed.
   */
  stateOfNew(pair: CandidatePair, list: Checklist): 'waiting' | 'frozen' {
    if (!this.#hasBegun) return 'frozen'
    const isFree =
      this.#isTopmost(pair, list) || this.#isMoved(pair, list) || this.#hasSucceeded(pair.foundation)
    return isFree ? 'waiting' : 'frozen'
  }

  /** A pair has succeeded: others of its foundation need not wait for it any more (RFC 8445 §7.2.5.3.3). */
  unfreeze(foundation: string): void {
    for (const pair of this.pairs()) {
      if (pair.state === 'frozen' && pair.foundation === foundation) pair.state = 'waiting'
    }
  }

  /** Frozen pairs of one list whose foundation is at rest (RFC 8445 §6.1.4.2 step 2). */
  thaw(list: Checklist): void {
    for (const pair of list.pairs) {
      if (pair.state === 'frozen' && !this.#isActive(pair.foundation)) pair.state = 'waiting'
    }
    this.#followMoved(list)
  }

  #followMoved(list: Checklist): void {
    for (const pair of list.pairs) {
      if (pair.state === 'frozen' && this.#isMoved(pair, list)) pair.state = 'waiting'
    }
  }

  #isActive(foundation: string): boolean {
    for (const pair of this.pairs()) {
      if (pair.foundation === foundation && (pair.state === 'waiting' || pair.state === 'in-progress')) {
        return true
      }
    }
    return false
  }

  #hasSucceeded(foundation: string): boolean {
    for (const pair of this.pairs()) {
      if (pair.foundation === foundation && pair.state === 'succeeded') return true
    }
    return false
  }

  /** There is one like it that is being checked, but for what a NAT has made of the peer's address. */
  #isMoved(pair: CandidatePair, list: Checklist): boolean {
    const { local, remote, foundation, component } = pair
    if (remote.type !== 'srflx') return false
    return list.pairs.some(
      (other) =>
        other.foundation === foundation &&
        other.component === component &&
        other.local.socket === local.socket &&
        !other.remote.address.equals(remote.address) &&
        other.state !== 'frozen',
    )
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
  if (x.component !== y.component) return x.component < y.component
  return comparePriority(x.priority, y.priority) > 0
}
