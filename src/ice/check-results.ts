/** What follows from the end of a check (RFC 8445 §7.2.5). */

import { type Instant, later } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { LocalCandidate } from './candidate.ts'
import type { CandidatePair, PairFailure } from './candidate-pair.ts'
import type { Check } from './check.ts'
import type { CheckListener } from './checker.ts'
import type { Generation } from './generation.ts'
import { newTiebreaker, type Session } from './session.ts'

export interface ResultActions {
  switchRole(): void
  nominated(pair: CandidatePair, value: number, now: Instant): void
  heard(pair: CandidatePair, now: Instant): void
  failed(pair: CandidatePair, failure: PairFailure, detail: string | undefined, now: Instant): void
  consentRevoked(pair: CandidatePair, now: Instant): void
}

export class CheckResults implements CheckListener {
  readonly #session: Session
  readonly #generation: Generation
  readonly #actions: ResultActions

  constructor(session: Session, generation: Generation, actions: ResultActions) {
    this.#session = session
    this.#generation = generation
    this.#actions = actions
  }

  succeeded(pair: CandidatePair, check: Check, mapped: TransportAddress, now: Instant): void {
    const list = this.#generation.listOf(pair)
    if (pair.isConsentLost || !list.pairs.includes(pair)) return
    // 1. The candidate that we have been seen at (§7.2.5.3.1), and the valid pair (§7.2.5.3.2).
    const seenAt = this.#mappedCandidate(pair, mapped)
    if (pair.mapped !== seenAt) {
      pair.mapped = seenAt
      pair.candidatesChanged(this.#session.role)
      list.sort()
    }
    // 2. States (§7.2.5.3.3); a check that goes on besides has nothing left to find out.
    pair.state = 'succeeded'
    pair.failure = undefined
    pair.failureDetail = undefined
    if (pair.check !== undefined && pair.check !== check) pair.check.isCancelled = true
    pair.check = undefined
    list.unqueue(pair)
    this.#generation.set.unfreeze(pair.foundation)
    // 3. Consent (RFC 7675 §5.1).
    pair.isAuthenticated = true
    pair.validSince ??= now
    pair.answeredAt = now
    pair.consentUntil = later(now, this.#session.options.consentExpiryMs)
    this.#actions.heard(pair, now)
    // 4. Nomination (§7.2.5.3.4).
    if (check.kind === 'nomination') {
      pair.isNominating = false
      if (this.#session.role === 'controlling') this.#actions.nominated(pair, check.nomination ?? 0, now)
    } else if (pair.nominateOnSuccess) this.#actions.nominated(pair, pair.nomination, now)
  }

  /**
   * Deviation: RFC 8445 §7.2.5.3.4 fails the checklist with the nomination. Here only the pair fails, for other valid
   * pairs may do instead.
   */
  failed(
    pair: CandidatePair,
    check: Check,
    failure: PairFailure,
    detail: string | undefined,
    now: Instant,
  ): void {
    if (check.isOnce || !this.#generation.listOf(pair).pairs.includes(pair)) return
    this.#actions.failed(pair, failure, detail, now)
  }

  /** RFC 8445 §7.2.5.1. A refusal of what we were before a change of role says nothing about what we are now. */
  roleConflict(pair: CandidatePair, check: Check): void {
    if (check.role === this.#session.role) {
      this.#session.tiebreaker = newTiebreaker(this.#session.random)
      this.#actions.switchRole()
    } else this.#session.drop('stale-role-conflict')
    pair.isNominating = false
    const list = this.#generation.listOf(pair)
    if (pair.isValid || pair.isConsentLost || !list.pairs.includes(pair)) return
    pair.check = undefined
    pair.state = 'waiting'
    list.enqueue(pair)
  }

  consentRevoked(pair: CandidatePair, now: Instant): void {
    this.#actions.consentRevoked(pair, now)
  }

  /** The candidate of ours with the mapped address, or a new peer-reflexive one. */
  #mappedCandidate(pair: CandidatePair, mapped: TransportAddress): LocalCandidate {
    const { local } = pair
    if (local.address.equals(mapped)) return local
    const { locals, foundations } = this.#generation
    const known = locals.find(
      (candidate) =>
        candidate.socket === local.socket &&
        candidate.protocol === local.protocol &&
        candidate.component === local.component &&
        candidate.address.equals(mapped),
    )
    if (known !== undefined) return known
    const { base, protocol } = local
    const learnt: LocalCandidate = {
      ...local,
      id: this.#session.newId('L'),
      type: 'prflx',
      address: mapped,
      related: base,
      priority: local.checkPriority,
      foundation: foundations.of({ type: 'prflx', base, protocol, server: undefined }),
    }
    locals.push(learnt)
    return learnt
  }
}
