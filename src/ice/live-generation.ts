/** A generation with what works on it: checks, nomination and consent, and how one leads to another. */

import type { Datagram, SocketId } from '../core/sans-io.ts'
import { earliest, type Instant, instant, later } from '../core/time.ts'
import type { CandidatePair, PairFailure } from './candidate-pair.ts'
import { CheckResults } from './check-results.ts'
import { Checker } from './checker.ts'
import type { Checklist } from './checklist.ts'
import type { Component } from './component.ts'
import { Consent } from './consent.ts'
import type { IceCredentials } from './credentials.ts'
import { Generation } from './generation.ts'
import { IncomingChecks } from './incoming-checks.ts'
import { concludeLiteOnly } from './lite.ts'
import type { PathReason } from './outputs.ts'
import { Selection } from './selection.ts'
import type { Session } from './session.ts'
import { summaryOf } from './stats.ts'
import { TcpPairs } from './tcp-pairs.ts'

export class LiveGeneration {
  readonly generation: Generation
  readonly checker: Checker
  readonly selection: Selection
  readonly consent: Consent
  readonly incoming: IncomingChecks
  readonly tcp: TcpPairs
  readonly #session: Session
  /** Decided, and not sent yet: checks go one by one. */
  readonly #nominations: { readonly pair: CandidatePair; readonly value: number }[] = []

  /** `switchRole` is asked for when a response shows a conflict. */
  constructor(session: Session, credentials: IceCredentials, switchRole: () => void) {
    this.#session = session
    const generation = new Generation(session, credentials)
    this.generation = generation
    const results = new CheckResults(session, generation, {
      switchRole,
      nominated: (pair, value, now) => this.selection.nominated(pair, value, now),
      heard: (pair, now) => this.consent.heard(pair, now),
      failed: (pair, failure, detail, now) => this.failPair(pair, failure, detail, now),
      consentRevoked: (pair, now) => this.#loseConsent(pair, 'consent-revoked', now),
    })
    this.checker = new Checker(session, generation, results)
    this.tcp = new TcpPairs(session, generation, {
      opened: (pair, now) => this.checker.send(pair, 'check', undefined, now),
      failed: (pair, failure, detail, now) => this.failPair(pair, failure, detail, now),
    })
    this.selection = new Selection(session, generation, {
      sendNomination: (pair, value) => this.#queueNomination(pair, value),
      discard: (pair) => this.#discard(pair),
    })
    this.consent = new Consent(session, generation, {
      sendConsent: (pair, now) => this.#sendConsent(pair, now),
      expired: (pair, now) => this.#loseConsent(pair, 'consent-expired', now),
      probe: (component) => this.#probe(component),
    })
    this.incoming = new IncomingChecks(session, generation, this.selection, this.consent)
  }

  get nextDeadline(): Instant | undefined {
    let next = earliest(this.checker.nextDeadline, this.consent.nextDeadline)
    next = earliest(next, this.selection.waitUntil)
    return earliest(next, this.#judgementAt())
  }

  handleTimeout(now: Instant): void {
    this.checker.handleTimeout(now)
    this.consent.handleTimeout(now)
  }

  /** Draws the conclusions of whatever has changed. */
  update(now: Instant): void {
    if (this.generation.isLiteOnly) concludeLiteOnly(this.#session, this.generation, this.selection, now)
    if (this.generation.hasNewPairs) this.#prune(now)
    this.selection.update(now)
    this.consent.update(now)
    this.#judge(now)
  }

  /** Whether a packet is data of the peer: from an address that has sent something authentic. */
  takeData({ socket, source, start, end }: Datagram, now: Instant): boolean {
    const pair = this.generation.paths.get(socket, source)
    if (pair?.isAuthenticated === true) {
      pair.counters.packetsReceived++
      pair.counters.bytesReceived += end - start
      this.consent.heard(pair, now)
      return true
    }
    const { early } = this.generation
    return early.length > 0 && early.some((check) => check.socket === socket && check.source.equals(source))
  }

  /** There was a path for data, and now there is none. */
  get isLost(): boolean {
    return this.#lostAt() !== undefined
  }

  get hasNominations(): boolean {
    while (this.#nominations[0]?.pair.isNominating === false) this.#nominations.shift()
    return this.#nominations.length > 0
  }

  /** In place of one for the same component that has not been sent yet. */
  #queueNomination(pair: CandidatePair, value: number): void {
    const { stream, component } = pair
    const at = this.#nominations.findIndex(
      (other) => other.pair.stream === stream && other.pair.component === component,
    )
    if (at >= 0) {
      const [outbid] = this.#nominations.splice(at, 1)
      if (outbid!.pair !== pair) outbid!.pair.isNominating = false
    }
    this.#nominations.push({ pair, value })
  }

  /** Repeats the check of a valid pair with USE-CANDIDATE (RFC 8445 §8.1.1). */
  nominateNext(now: Instant): void {
    const next = this.hasNominations ? this.#nominations.shift() : undefined
    if (next !== undefined) this.checker.send(next.pair, 'nomination', next.value, now)
  }

  /** Checks the pair whose turn it is in the list (RFC 8445 §6.1.4.2 steps 1 to 3). False if there is none. */
  checkNext(list: Checklist, now: Instant): boolean {
    const { set } = this.generation
    set.begin()
    for (let pair = list.takeTriggered(); pair !== undefined; pair = list.takeTriggered()) {
      if (pair.state === 'succeeded') this.checker.send(pair, 'probe', undefined, now)
      else if (pair.state === 'waiting') this.#check(pair, now)
      else continue
      return true
    }
    if (!list.pairs.some((pair) => pair.state === 'waiting')) set.thaw(list)
    const waiting = list.pairs.filter((pair) => pair.state === 'waiting')
    const component = waiting[0] === undefined ? undefined : this.generation.componentOf(waiting[0])
    if (component === undefined) return false
    const pair = this.#session.options.policy.nextCheck(waiting, this.selection.view(component, now))
    if (pair === undefined) return false
    this.#check(pair, now)
    return true
  }

  /** The pair has come to nothing, or what it was good for is over. */
  failPair(pair: CandidatePair, failure: PairFailure, detail: string | undefined, now: Instant): void {
    if (pair.state === 'failed') return
    this.generation.fail(pair, failure, detail)
    this.#lost(pair, 'pair-lost', now)
    this.#session.outputs.push({ type: 'pair-failed', pair: summaryOf(pair) })
  }

  #lost(pair: CandidatePair, reason: PathReason, now: Instant): void {
    this.selection.lost(pair, reason, now)
    const component = this.generation.componentOf(pair)
    if (component?.lostAt !== undefined) this.#probe(component)
  }

  /** A socket is gone, and everything with it. */
  removeSocket(socket: SocketId, now: Instant): void {
    const { generation } = this
    const isGone = (of: { readonly socket: SocketId | undefined }) => of.socket === socket
    generation.bases.delete(socket)
    for (const local of generation.locals.filter(isGone)) {
      generation.locals.splice(generation.locals.indexOf(local), 1)
    }
    for (const pair of [...generation.set.pairs()]) {
      if (!isGone(pair) && !isGone(pair.local)) continue
      this.failPair(pair, 'socket-removed', undefined, now)
      this.tcp.close(pair)
      generation.detach(pair)
    }
  }

  #check(pair: CandidatePair, now: Instant): void {
    if (pair.socket === undefined) this.tcp.open(pair, now)
    else this.checker.send(pair, 'check', undefined, now)
  }

  /** Interop: with USE-CANDIDATE in them, the peer follows when a NAT gives us a new address. */
  #sendConsent(pair: CandidatePair, now: Instant): void {
    const repeats = this.#session.role === 'controlling' && pair.isNominated
    this.checker.send(pair, 'consent', repeats ? pair.nomination : undefined, now)
  }

  /**
   * What is valid besides the pair in use has to show that it is alive. If that is silent or lost, also what was not checked
   * any more when it was nominated gets its chance.
   */
  #probe(component: Component): void {
    const list = this.generation.listOf(component)
    const isInNeed = component.isSilent || component.lostAt !== undefined
    for (const pair of list.pairsOf(component)) {
      if (pair === component.sending) continue
      if (isInNeed && pair.failure === 'pruned') {
        pair.failure = undefined
        pair.state = 'waiting'
      } else if (pair.isValid) list.enqueue(pair)
    }
  }

  /** What the policy has no use for. */
  #prune(now: Instant): void {
    this.generation.hasNewPairs = false
    for (const component of this.generation.components) {
      const view = this.selection.view(component, now)
      for (const pair of this.#session.options.policy.prune(view)) {
        if (!pair.isNominated && !pair.isNominating && pair !== component.sending) this.#discard(pair)
      }
    }
  }

  #discard(pair: CandidatePair): void {
    this.generation.fail(pair, 'pruned')
    this.tcp.close(pair)
  }

  #loseConsent(pair: CandidatePair, failure: 'consent-expired' | 'consent-revoked', now: Instant): void {
    pair.consentUntil = undefined
    // A lite agent has asked for no consent, and takes up again with a peer that comes back.
    this.generation.fail(pair, this.#session.options.lite ? 'timeout' : failure)
    this.#lost(pair, failure, now)
    this.#session.outputs.push({ type: 'pair-failed', pair: summaryOf(pair) })
    this.selection.update(now)
    if (!this.generation.hasPaths) {
      this.generation.failure ??= failure === 'consent-expired' ? 'consent expired' : 'consent revoked'
    }
  }

  /** When it is next to be decided whether all is lost; undefined while it need not be. */
  #judgementAt(): Instant | undefined {
    const { generation } = this
    if (generation.failure !== undefined || generation.hasPaths) return undefined
    const { patienceUntil } = generation
    const lostAt = this.#lostAt()
    if (lostAt === undefined || patienceUntil === undefined) {
      return this.#isPatienceOver ? undefined : patienceUntil
    }
    const givenUpAt = later(lostAt, this.#session.options.consentExpiryMs)
    return instant(Math.max(givenUpAt, patienceUntil))
  }

  #isPatienceOver = false

  /** RFC 8445 §7.2.5.4, not before patience is over (RFC 8863 §4); and of a path that is lost, when nothing has come instead. */
  #judge(now: Instant): void {
    const { generation } = this
    if (generation.patienceUntil === undefined || now < generation.patienceUntil) return
    this.#isPatienceOver = true
    if (generation.failure !== undefined || generation.hasPaths) return
    const lostAt = this.#lostAt()
    if (lostAt !== undefined && now < lostAt + this.#session.options.consentExpiryMs) return
    for (const list of generation.set.lists) {
      if (list.state === 'running' && list.isExhausted && !list.hasValidPairs) list.state = 'failed'
    }
    if (lostAt !== undefined) generation.failure = 'the path in use was lost and nothing has taken its place'
    else if (generation.set.lists.every((list) => list.state === 'failed')) {
      generation.failure = generation.set.size === 0 ? 'no candidate pairs' : 'every candidate pair failed'
    }
  }

  #lostAt(): Instant | undefined {
    let first: Instant | undefined
    for (const { lostAt } of this.generation.components) first = earliest(first, lostAt)
    return first
  }
}
