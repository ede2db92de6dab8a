/**
 * Consent freshness (RFC 7675) on the pair that data goes to, or keepalives where it is switched off (RFC 8445 §11);
 * and what the silence of the peer means.
 */

import { randomUint32 } from '../core/random.ts'
import { earliest, type Instant, later } from '../core/time.ts'
import { encodeKeepalive } from './binding.ts'
import type { CandidatePair } from './candidate-pair.ts'
import type { Component } from './component.ts'
import type { Generation } from './generation.ts'
import type { Session } from './session.ts'

export interface ConsentActions {
  sendConsent(pair: CandidatePair, now: Instant): void
  /** The pair must not be used any more. */
  expired(pair: CandidatePair, now: Instant): void
  /** Other pairs of the component should show whether they are alive. */
  probe(component: Component): void
}

/** Limit: RFC 7675 §5.1. */
const minimumIntervalMs = 4000

/**
 * How long a consent check may go without an answer until the other pairs of the component are probed, so that there is
 * somewhere to go when the peer counts as silent. It is not repeated itself (RFC 7675 §5.1).
 */
const suspectAfterMs = 500

export class Consent {
  readonly #session: Session
  readonly #generation: Generation
  readonly #actions: ConsentActions

  constructor(session: Session, generation: Generation, actions: ConsentActions) {
    this.#session = session
    this.#generation = generation
    this.#actions = actions
  }

  get nextDeadline(): Instant | undefined {
    let next: Instant | undefined
    for (const component of this.#generation.components) {
      const { sending } = component
      if (sending === undefined) continue
      next = earliest(next, component.nextConsentAt)
      next = earliest(next, component.nextProbeAt)
      next = earliest(next, this.#expiryOf(sending, component))
      next = earliest(next, this.#suspectAt(component))
      next = earliest(next, this.#silentAt(component))
    }
    return next
  }

  /** After the pair that data goes to may have changed. */
  update(now: Instant): void {
    if (this.#session.options.lite) return
    for (const component of this.#generation.components) {
      const { sending } = component
      if (sending !== undefined) {
        component.nextConsentAt ??= this.#hasRested(sending, now) ? now : later(now, this.#intervalMs())
      }
      if (this.#hasSpares(component)) component.nextProbeAt ??= later(now, this.#session.options.probeMs)
      else component.nextProbeAt = undefined
    }
  }

  /** Whether a valid pair has consent that will not run out before it is renewed. */
  isFresh(pair: CandidatePair, now: Instant): boolean {
    if (!pair.isValid) return false
    const { consent, disconnectedMs } = this.#session.options
    return !consent || pair.consentUntil === undefined || pair.consentUntil - now > disconnectedMs
  }

  handleTimeout(now: Instant): void {
    for (const component of this.#generation.components) this.#tend(component, now)
  }

  /** Something authentic, or data, has come from the peer on a pair. */
  heard(pair: CandidatePair, now: Instant): void {
    pair.counters.lastPacketReceivedAt = now
    const component = this.#generation.componentOf(pair)
    if (component?.sending === pair) component.isSilent = false
  }

  #tend(component: Component, now: Instant): void {
    const pair = component.sending
    if (pair === undefined) return
    const expiry = this.#expiryOf(pair, component)
    if (expiry !== undefined && expiry <= now) {
      pair.counters.consentExpiredAt = now
      this.#actions.expired(pair, now)
      return
    }
    const silentAt = this.#silentAt(component)
    if (silentAt !== undefined && silentAt <= now) {
      component.isSilent = true
      this.#actions.probe(component)
    } else this.#suspect(component, now)
    if (component.nextProbeAt !== undefined && component.nextProbeAt <= now) {
      component.nextProbeAt = undefined
      this.#actions.probe(component)
    }
    if (component.nextConsentAt !== undefined && component.nextConsentAt <= now) {
      component.nextConsentAt = later(now, this.#intervalMs())
      component.askedAt = now
      this.#ask(pair, now)
      if (component.isSilent) this.#actions.probe(component)
    }
  }

  /** Valid pairs that are not in use, and could be: their round-trip times, NAT bindings and consent are kept fresh. */
  #hasSpares({ sending, stream, id }: Component): boolean {
    if (sending === undefined || !this.#generation.canRenominate) return false
    return this.#generation.set.lists[stream]!.pairs.some(
      (pair) => pair !== sending && pair.component === id && pair.isValid,
    )
  }

  #suspect(component: Component, now: Instant): void {
    const suspectAt = this.#suspectAt(component)
    if (suspectAt === undefined || suspectAt > now) return
    component.askedAt = undefined
    this.#actions.probe(component)
  }

  #ask(pair: CandidatePair, now: Instant): void {
    const { options, random } = this.#session
    if (options.consent) this.#actions.sendConsent(pair, now)
    else if (pair.socket !== undefined) {
      const bytes = encodeKeepalive(random.bytes(12))
      this.#session.transmit(pair.socket, pair.remote.address, bytes, 'keepalive')
    }
  }

  /** A lite agent asks for nothing; what it lives by is the peer's checks. */
  #expiryOf(pair: CandidatePair, component: Component): Instant | undefined {
    const { consent, lite, consentExpiryMs } = this.#session.options
    if (!consent || this.#generation.isLiteOnly) return undefined
    return lite ? later(this.#heardAt(component), consentExpiryMs) : pair.consentUntil
  }

  #silentAt(component: Component): Instant | undefined {
    const { consent, disconnectedMs } = this.#session.options
    if (component.isSilent || !consent || this.#generation.isLiteOnly) return undefined
    return later(this.#heardAt(component), disconnectedMs)
  }

  /** When other pairs are probed, because a consent check has not been answered; undefined if it was, or the peer is heard. */
  #suspectAt(component: Component): Instant | undefined {
    const { sending, askedAt } = component
    if (sending === undefined || askedAt === undefined || this.#session.options.lite) return undefined
    if ((sending.answeredAt ?? askedAt) >= askedAt || this.#isHeard(component)) return undefined
    return later(askedAt, Math.max(suspectAfterMs, 2 * (sending.rttMs ?? 0)))
  }

  /** The peer has been heard since it was asked. */
  #isHeard(component: Component): boolean {
    return component.askedAt !== undefined && this.#heardAt(component) >= component.askedAt
  }

  #heardAt({ sending, sendingSince }: Component): Instant {
    return sending?.counters.lastPacketReceivedAt ?? sendingSince
  }

  /** It has not been asked for consent since a while, as other pairs than the one in use are not. */
  #hasRested({ consentUntil }: CandidatePair, now: Instant): boolean {
    const { consent, consentExpiryMs, consentIntervalMs } = this.#session.options
    return (
      consent && consentUntil !== undefined && consentUntil - now < consentExpiryMs - 2 * consentIntervalMs
    )
  }

  /** 0.8 to 1.2 of the period, drawn anew each time (RFC 7675 §5.1). */
  #intervalMs(): number {
    const { options, random } = this.#session
    if (!options.consent) return options.keepaliveMs
    const factor = 0.8 + 0.4 * (randomUint32(random) / 2 ** 32)
    return Math.max(minimumIntervalMs, options.consentIntervalMs * factor)
  }
}
