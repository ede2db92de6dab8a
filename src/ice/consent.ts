/**
 * Consent freshness (RFC 7675) on the pair that data goes to, or keepalives where it is switched off (RFC 8445 §11);
 * and what the silence of the peer means.
 */

import { randomUint32 } from '../core/random.ts'
import { type Instant, later } from '../core/time.ts'
import { encodeKeepalive } from './binding.ts'
import type { CandidatePair } from './candidate-pair.ts'
import type { Component } from './component.ts'
import type { Generation } from './generation.ts'
import type { Session } from './session.ts'

export interface ConsentListener {
  /** A check for consent; the controlling side repeats the nomination with it. */
  sendConsent(pair: CandidatePair, now: Instant): void
  expired(pair: CandidatePair, now: Instant): void
  /** A component has fallen silent, or is heard again. */
  silenceChanged(component: Component, now: Instant): void
}

export class Consent {
  readonly #session: Session
  readonly #generation: Generation
  readonly #listener: ConsentListener

  constructor(session: Session, generation: Generation, listener: ConsentListener) {
    this.#session = session
    this.#generation = generation
    this.#listener = listener
  }

  get nextDeadline(): Instant | undefined {
    let next: Instant | undefined
    for (const component of this.#generation.components()) {
      for (const due of this.#deadlinesOf(component)) {
        if (due !== undefined && (next === undefined || due < next)) next = due
      }
    }
    return next
  }

  /** After the pair that data goes to may have changed. */
  update(now: Instant): void {
    for (const component of this.#generation.components()) {
      if (component.sending !== undefined) component.nextConsentAt ??= later(now, this.#intervalMs())
    }
  }

  handleTimeout(now: Instant): void {
    for (const component of this.#generation.components()) this.#tend(component, now)
  }

  /** Something authentic, or data, has come from the peer. */
  heard(component: Component, now: Instant): void {
    if (!component.isSilent) return
    component.isSilent = false
    this.#listener.silenceChanged(component, now)
  }

  #tend(component: Component, now: Instant): void {
    const pair = component.sending
    if (pair === undefined) return
    if (this.#expiryOf(pair, component) <= now) {
      pair.stats.consentExpiredAt = now
      this.#listener.expired(pair, now)
      return
    }
    const silentAt = this.#silentAt(component)
    if (silentAt !== undefined && silentAt <= now) {
      component.isSilent = true
      this.#listener.silenceChanged(component, now)
    }
    if (component.nextConsentAt !== undefined && component.nextConsentAt <= now) {
      component.nextConsentAt = later(now, this.#intervalMs())
      this.#ask(pair, now)
    }
  }

  #ask(pair: CandidatePair, now: Instant): void {
    const { options, random } = this.#session
    if (options.lite) return
    if (options.consent) this.#listener.sendConsent(pair, now)
    else {
      const bytes = encodeKeepalive(random.bytes(12))
      this.#session.transmit(pair.socket!, pair.remote.address, bytes, 'keepalive')
    }
  }

  #deadlinesOf(component: Component): readonly (Instant | undefined)[] {
    if (component.sending === undefined) return []
    return [component.nextConsentAt, this.#expiryOf(component.sending, component), this.#silentAt(component)]
  }

  /** A lite agent asks for nothing, so what it lives by is the peer's checks. */
  #expiryOf(pair: CandidatePair, component: Component): Instant {
    const { consent, lite, consentExpiryMs } = this.#session.options
    if (lite) return later(this.#heardAt(component), consentExpiryMs)
    return consent && pair.consentUntil !== undefined ? pair.consentUntil : never
  }

  #silentAt(component: Component): Instant | undefined {
    if (component.isSilent || component.sending === undefined) return undefined
    if (!this.#session.options.consent) return undefined
    return later(this.#heardAt(component), this.#session.options.disconnectedMs)
  }

  #heardAt(component: Component): Instant {
    return component.sending?.stats.lastPacketReceivedAt ?? component.sendingSince
  }

  /** 0.8 to 1.2 of the period, drawn anew each time (RFC 7675 §5.1). */
  #intervalMs(): number {
    const { options, random } = this.#session
    if (!options.consent) return options.keepaliveMs
    return Math.max(
      minimumIntervalMs,
      options.consentIntervalMs * (0.8 + 0.4 * (randomUint32(random) / 2 ** 32)),
    )
  }
}

/** Limit: RFC 7675 §5.1. */
const minimumIntervalMs = 4000
const never = Number.POSITIVE_INFINITY as Instant
