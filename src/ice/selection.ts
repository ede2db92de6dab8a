/**
 * From valid pairs to selected ones (RFC 8445 §7.2.5.3.4, §8.1): nomination, where data goes, and the end of checks that
 * nobody needs any more.
 */

import { type Instant, later } from '../core/time.ts'
import type { CandidatePair } from './candidate-pair.ts'
import type { Checklist } from './checklist.ts'
import type { Component } from './component.ts'
import type { Generation } from './generation.ts'
import type { PathReason } from './outputs.ts'
import { comparePriority } from './pair-priority.ts'
import type { PolicyView } from './policy.ts'
import { isRebound } from './rebinding.ts'
import type { Session } from './session.ts'
import { summaryOf } from './stats.ts'

export interface SelectionActions {
  /** The check of a valid pair is to be repeated with USE-CANDIDATE. */
  sendNomination(pair: CandidatePair, value: number): void
  /** A pair is not needed any more. */
  discard(pair: CandidatePair): void
}

export class Selection {
  readonly #session: Session
  readonly #generation: Generation
  readonly #actions: SelectionActions
  /** When the policy wants to be asked again; undefined while only an event can change its mind. */
  #waitUntil: Instant | undefined
  #lastNomination = 0

  constructor(session: Session, generation: Generation, actions: SelectionActions) {
    this.#session = session
    this.#generation = generation
    this.#actions = actions
  }

  get waitUntil(): Instant | undefined {
    return this.#waitUntil
  }

  view(component: Component, now: Instant): PolicyView {
    const generation = this.#generation
    return {
      now,
      role: this.#session.role,
      pairs: generation.listOf(component).pairsOf(component),
      selected: component.selected,
      isSilent: component.isSilent,
      reflexive: generation.locals.filter((candidate) => candidate.type === 'srflx'),
      canRenominate: generation.canRenominate,
      isComplete: generation.hasAllLocals && generation.hasAllRemotes,
    }
  }

  /** To be called after everything that may have changed a pair. */
  update(now: Instant): void {
    this.#waitUntil = undefined
    for (const component of this.#generation.components) {
      if (this.#session.role === 'controlling' && !this.#session.options.lite) {
        if (component.selected === undefined) this.#considerNomination(component, now)
        else this.#considerSwitch(component, component.selected, now)
      }
      this.#updatePath(component, now)
    }
  }

  /** The pair is nominated and has been checked: RFC 8445 §7.2.5.3.4 and §7.3.1.5. */
  nominated(pair: CandidatePair, value: number, now: Instant): void {
    const component = this.#generation.componentOf(pair)
    pair.nominateOnSuccess = false
    pair.isNominating = false
    if (component === undefined) return
    pair.isNominated = true
    pair.nominatedAt ??= now
    pair.claimedAt = now
    pair.nomination = Math.max(pair.nomination, value)
    const previous = component.selected
    if (previous === pair) return
    if (previous !== undefined && !this.#replaces(pair, previous, component, now)) {
      // An earlier choice that has been taken back, and whose check comes through only now.
      if (this.#generation.canRenominate) pair.isNominated = false
      return
    }
    if (previous !== undefined) previous.isNominated = false
    component.selected = pair
    this.#session.outputs.push({
      type: 'selected-pair',
      stream: component.stream,
      component: component.id,
      pair: summaryOf(pair),
      previous: previous === undefined ? undefined : summaryOf(previous),
    })
    this.#conclude(component, pair, now)
    this.#updatePath(component, now)
  }

  /** A pair is of no use any more: its consent is lost, it has failed, its socket is gone. */
  lost(pair: CandidatePair, reason: PathReason, now: Instant): void {
    const component = this.#generation.componentOf(pair)
    pair.isNominated = false
    if (component === undefined) return
    if (component.selected === pair) {
      component.selected = undefined
      this.#generation.listOf(pair).state = 'running'
    }
    if (component.sending === pair) {
      this.#setSending(component, undefined, reason, now)
      component.lostAt = now
    }
  }

  /**
   * Renominations go by their value. Of several nominations by a peer that is aggressive the best pair counts (RFC 8445
   * §8.1.1), and of equals the later one, for a NAT may have given the peer a new address.
   */
  #replaces(pair: CandidatePair, selected: CandidatePair, component: Component, now: Instant): boolean {
    if (pair.nomination !== selected.nomination) return pair.nomination > selected.nomination
    if (this.#session.role === 'controlling' && !this.#session.options.lite) return true
    if (component.isSilent || comparePriority(pair.priority, selected.priority) >= 0) return true
    // Interop: who controls says USE-CANDIDATE again and again of what it uses. Of this one it has not for long.
    const { claimedAt } = selected
    return claimedAt !== undefined && now - claimedAt > this.#session.options.disconnectedMs
  }

  #considerNomination(component: Component, now: Instant): void {
    const { sending } = component
    if (sending === undefined && !this.#generation.listOf(component).pairs.some((pair) => pair.isValid))
      return
    const view = this.view(component, now)
    const current = view.pairs.filter((pair) => pair.isNominating)
    // A nomination on its way is waited for, unless its path has died and another one lives, or a better one can outbid it.
    if (current.length > 0) {
      if (view.canRenominate) this.#considerOutbidding(current, view)
      if (!component.isSilent || current.some((pair) => this.#isAlive(pair, now))) return
      const other = view.pairs.find((pair) => !pair.isNominating && this.#isAlive(pair, now))
      if (other !== undefined) this.#nominate(other)
      return
    }
    const choice = this.#session.options.policy.nominate(view)
    if (choice === undefined) return
    if ('waitUntil' in choice) this.#wait(choice.waitUntil, now)
    else this.#nominate(choice)
  }

  #considerOutbidding(current: readonly CandidatePair[], view: PolicyView): void {
    const { policy } = this.#session.options
    const choice = policy.nominate(view)
    if (choice === undefined || 'waitUntil' in choice || choice.isNominating) return
    if (current.every((pair) => policy.shouldSwitch(pair, choice, view))) this.#nominate(choice)
  }

  /**
   * Whether the selected pair is to be left. Deviation: RFC 8445 §8.1.1 allows one nomination in a session. Without
   * renomination we make another one only where a selected pair is dead, or where it has, to the peer, not changed.
   */
  #considerSwitch(component: Component, selected: CandidatePair, now: Instant): void {
    this.#insist(component, selected)
    const list = this.#generation.listOf(component)
    if (!list.pairs.some((pair) => pair !== selected && pair.isValid)) return
    const view = this.view(component, now)
    // One nomination after the other, unless its path has died too.
    if (view.pairs.some((pair) => pair.isNominating && (!component.isSilent || this.#isAlive(pair, now))))
      return
    const { policy } = this.#session.options
    for (const other of view.pairs) {
      if (other === selected || other.isNominating || !this.#isAlive(other, now)) continue
      const isAllowed = view.canRenominate || component.isSilent || isRebound(selected, other)
      if (isAllowed && policy.shouldSwitch(selected, other, view)) {
        this.#nominate(other)
        return
      }
    }
  }

  /** A nomination that came to nothing here may have reached the peer all the same: the selected pair outbids it. */
  #insist(component: Component, selected: CandidatePair): void {
    if (!this.#generation.canRenominate || selected.nomination >= component.lastNomination) return
    const { pairs } = this.#generation.listOf(component)
    if (pairs.some((pair) => pair.component === component.id && pair.isNominating)) return
    this.#nominate(selected)
  }

  #isAlive(pair: CandidatePair, now: Instant): boolean {
    const heardAt = pair.counters.lastPacketReceivedAt
    return pair.isValid && heardAt !== undefined && now - heardAt < this.#session.options.disconnectedMs
  }

  #nominate(pair: CandidatePair): void {
    pair.isNominating = true
    if (this.#generation.canRenominate) this.#lastNomination++
    const component = this.#generation.componentOf(pair)
    if (component !== undefined) component.lastNomination = this.#lastNomination
    this.#actions.sendNomination(pair, this.#lastNomination)
  }

  /** A policy that asks for a time that has passed is asked again a little later, never at once. */
  #wait(until: Instant, now: Instant): void {
    const at = until > now ? until : later(now, 1)
    if (this.#waitUntil === undefined || at < this.#waitUntil) this.#waitUntil = at
  }

  #updatePath(component: Component, now: Instant): void {
    const { selected, sending } = component
    if (selected !== undefined) {
      if (sending !== selected) this.#setSending(component, selected, 'nominated', now)
      return
    }
    const best = this.#bestValid(component, now)
    if (best === undefined || best === sending) return
    if (sending === undefined) {
      const reason = component.lostAt === undefined ? 'first-valid-pair' : 'fallback'
      this.#setSending(component, best, reason, now)
    } else if (sending.isRelayed && !best.isRelayed) {
      this.#setSending(component, best, 'better-valid-pair', now)
    }
  }

  /** Only where there is consent (RFC 7675 §5.1): a pair that has rested too long is to be checked again first. */
  #bestValid(component: Component, now: Instant): CandidatePair | undefined {
    return this.#generation
      .listOf(component)
      .pairs.find(
        (pair) => pair.component === component.id && pair.isValid && (pair.consentUntil ?? now) > now,
      )
  }

  #setSending(component: Component, pair: CandidatePair | undefined, reason: PathReason, now: Instant): void {
    component.sending = pair
    component.sendingSince = now
    component.nextConsentAt = undefined
    component.askedAt = undefined
    component.pathReason = reason
    component.isSilent = false
    if (pair !== undefined) component.lostAt = undefined
  }

  /**
   * RFC 8445 §8.1.2: the checks of a component end with its nomination. With renomination those go on that may lead to
   * something better.
   */
  #conclude(component: Component, selected: CandidatePair, now: Instant): void {
    const list = this.#generation.listOf(component)
    const view = this.view(component, now)
    for (const pair of view.pairs) {
      if (pair === selected || pair.state === 'failed' || pair.nominateOnSuccess) continue
      if (pair.state !== 'succeeded') {
        if (!view.canRenominate || !this.#session.options.policy.shouldSwitch(selected, pair, view)) {
          this.#actions.discard(pair)
        }
      } else if (pair.local.protocol === 'tcp' && !view.canRenominate) {
        // RFC 6544 §8: connections that were not selected are closed.
        this.#actions.discard(pair)
      }
    }
    if (isSelected(list)) list.state = 'completed'
  }
}

function isSelected(list: Checklist): boolean {
  return list.components.every((component) => component.selected !== undefined)
}
