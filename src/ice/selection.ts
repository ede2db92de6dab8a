/**
 * From valid pairs to selected ones (RFC 8445 §7.2.5.3, §8.1): nomination, where data goes, and the end of checks that
 * nobody needs any more.
 */

import { type Instant, later } from '../core/time.ts'
import type { CandidatePair } from './candidate-pair.ts'
import type { Component } from './component.ts'
import type { Generation } from './generation.ts'
import type { PathReason } from './outputs.ts'
import { comparePriority } from './pair-priority.ts'
import type { PolicyView } from './policy.ts'
import type { Session } from './session.ts'
import { summaryOf } from './stats.ts'

export class Selection {
  readonly #session: Session
  readonly #generation: Generation
  /** Sends a check with USE-CANDIDATE. */
  readonly #sendNomination: (pair: CandidatePair, value: number, now: Instant) => void
  /** When the policy wants to be asked again; undefined while only an event can change its mind. */
  waitUntil: Instant | undefined
  #lastNomination = 0

  constructor(
    session: Session,
    generation: Generation,
    sendNomination: (pair: CandidatePair, value: number, now: Instant) => void,
  ) {
    this.#session = session
    this.#generation = generation
    this.#sendNomination = sendNomination
  }

  view(component: Component, now: Instant): PolicyView {
    const generation = this.#generation
    const { pairs } = generation.set.lists[component.stream]!
    return {
      now,
      role: this.#session.role,
      pairs: pairs.filter((pair) => pair.component === component.id),
      selected: component.selected,
      reflexive: generation.locals.filter((candidate) => candidate.type === 'srflx'),
      canRenominate: generation.canRenominate,
      isComplete: generation.hasAllLocals && generation.hasAllRemotes,
    }
  }

  /** To be called after everything that may have changed a pair. */
  update(now: Instant): void {
    this.waitUntil = undefined
    for (const component of this.#generation.components()) {
      if (this.#session.role === 'controlling') this.#considerNomination(component, now)
      this.#updatePath(component, now)
    }
  }

  /** The pair is nominated, and its check has succeeded: the controlled side, or both (§7.2.5.3.4, §7.3.1.5). */
  nominated(pair: CandidatePair, value: number, now: Instant): void {
    const component = this.#generation.componentOf(pair)
    pair.nominateOnSuccess = false
    pair.isNominating = false
    pair.isNominated = true
    pair.nomination = Math.max(pair.nomination, value)
    const previous = component.selected
    if (previous === pair) return
    if (previous !== undefined && !this.#replaces(pair, previous, component)) return
    component.selected = pair
    if (previous !== undefined && this.#session.role === 'controlling') previous.isNominated = false
    this.#session.outputs.push({
      type: 'selected-pair',
      stream: component.stream,
      component: component.id,
      pair: summaryOf(pair),
      previous: previous === undefined ? undefined : summaryOf(previous),
    })
    this.#conclude(component, now)
  }

  /** A pair is of no use any more: consent lost, failed, its socket gone. */
  lost(pair: CandidatePair, reason: PathReason, now: Instant): void {
    const component = this.#generation.componentOf(pair)
    pair.isNominated = false
    pair.isNominating = false
    if (component.selected === pair) component.selected = undefined
    if (component.sending === pair) this.#setSending(component, undefined, reason, now)
    this.#generation.listOf(pair).state = 'running'
  }

  /**
   * Renominations go by their value. Of several nominations by a peer that is aggressive the best pair counts
   * (RFC 8445 §8.1.1), unless the one in use has gone silent.
   */
  #replaces(pair: CandidatePair, selected: CandidatePair, component: Component): boolean {
    if (this.#session.role === 'controlling') return true
    if (pair.nomination !== selected.nomination) return pair.nomination > selected.nomination
    return component.isSilent || comparePriority(pair.priority, selected.priority) > 0
  }

  #considerNomination(component: Component, now: Instant): void {
    const view = this.view(component, now)
    const { policy } = this.#session.options
    if (view.pairs.some((pair) => pair.isNominating)) return
    if (component.selected === undefined) {
      const choice = policy.nominate(view)
      if (choice === undefined) return
      if ('waitUntil' in choice) this.#wait(choice.waitUntil, now)
      else this.#nominate(choice, now)
      return
    }
    const { selected } = component
    // Deviation: RFC 8445 §8.1.1 allows one nomination. A selected pair that is silent has nothing to lose.
    if (!view.canRenominate && !component.isSilent) return
    for (const other of view.pairs) {
      if (other === selected || !other.isValid || !this.#isAlive(other, now)) continue
      if (component.isSilent || policy.shouldSwitch(selected, other, view)) {
        this.#nominate(other, now)
        return
      }
    }
  }

  #isAlive(pair: CandidatePair, now: Instant): boolean {
    const heardAt = pair.stats.lastPacketReceivedAt
    return heardAt !== undefined && now - heardAt < this.#session.options.disconnectedMs
  }

  #nominate(pair: CandidatePair, now: Instant): void {
    pair.isNominating = true
    if (this.#generation.canRenominate) this.#lastNomination++
    this.#sendNomination(pair, this.#lastNomination, now)
  }

  #wait(until: Instant, now: Instant): void {
    const at = until > now ? until : later(now, 1)
    if (this.waitUntil === undefined || at < this.waitUntil) this.waitUntil = at
  }

  #updatePath(component: Component, now: Instant): void {
    const { selected, sending } = component
    if (selected !== undefined) {
      if (sending !== selected) this.#setSending(component, selected, 'nominated', now)
      return
    }
    const best = this.#bestValid(component, now)
    if (best === undefined || best === sending) return
    if (sending === undefined) this.#setSending(component, best, 'first-valid-pair', now)
    else if (sending.isRelayed && !best.isRelayed) this.#setSending(component, best, 'better-valid-pair', now)
  }

  /** Only where there is consent (RFC 7675 §5.1): a pair that has rested too long is to be checked again first. */
  #bestValid(component: Component, now: Instant): CandidatePair | undefined {
    return this.#generation.set.lists[component.stream]!.pairs.find(
      (pair) => pair.component === component.id && pair.isValid && (pair.consentUntil ?? now) > now,
    )
  }

  #setSending(component: Component, pair: CandidatePair | undefined, reason: PathReason, now: Instant): void {
    component.sending = pair
    component.sendingSince = now
    component.isSilent = false
    component.nextConsentAt = undefined
    component.pathReason = reason
    component.path =
      pair === undefined ? undefined : { socket: pair.socket!, destination: pair.remote.address }
  }

  /** RFC 8445 §8.1.2: the checks of a component end with its nomination; with renomination, those that could only be worse. */
  #conclude(component: Component, now: Instant): void {
    const generation = this.#generation
    const list = generation.set.lists[component.stream]!
    const selected = component.selected!
    for (const pair of list.pairs) {
      if (pair.component !== component.id || pair === selected) continue
      if (pair.state === 'succeeded' || pair.state === 'failed' || pair.nominateOnSuccess) continue
      const couldBeBetter =
        generation.canRenominate &&
        this.#session.options.policy.shouldSwitch(selected, pair, this.view(component, now))
      if (!couldBeBetter) generation.fail(pair, 'pruned')
    }
    if (list.components.every((other) => other.selected !== undefined)) list.state = 'completed'
  }
}
