/**
 * What RFC 8445 leaves to local policy, in one object that can be replaced: which pair is checked next, which is
 * nominated and when, when to move to another one, and which are not worth keeping.
 */

import type { Instant } from '../core/time.ts'
import type { LocalCandidate } from './candidate.ts'
import type { CandidatePair } from './candidate-pair.ts'
import type { IceRole } from './role.ts'

/** One component of one stream, as a policy sees it. Nothing in it is to be changed. */
export interface PolicyView {
  readonly now: Instant
  readonly role: IceRole
  /** By priority, the best first. */
  readonly pairs: readonly CandidatePair[]
  readonly selected: CandidatePair | undefined
  /** Nothing has been heard on the pair in use for longer than there should be silence. */
  readonly isSilent: boolean
  /** Our server-reflexive candidates: what we look like from outside. */
  readonly reflexive: readonly LocalCandidate[]
  /** Both sides know renomination: a choice can be taken back. */
  readonly canRenominate: boolean
  /** Whether more candidates may come from either side. */
  readonly isComplete: boolean
}

export interface IcePolicy {
  /** One of the pairs in state Waiting; undefined: none of them yet. */
  nextCheck(waiting: readonly CandidatePair[], view: PolicyView): CandidatePair | undefined
  /** Asked of the controlling side while nothing is nominated: a valid pair, or when to ask again at the latest. */
  nominate(view: PolicyView): CandidatePair | { readonly waitUntil: Instant } | undefined
  /**
   * Whether to leave the selected pair for another one. Asked of valid pairs that are alive; and at a nomination of those
   * still to be checked: whether their checks are worth going on with.
   */
  shouldSwitch(selected: CandidatePair, other: CandidatePair, view: PolicyView): boolean
  /** Pairs to be taken off the list although there is room. */
  prune(view: PolicyView): readonly CandidatePair[]
}
