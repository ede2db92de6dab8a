/** A generation with what works on it: checks, nomination and consent, and how one leads to another. */

import type { SocketId } from '../core/sans-io.ts'
import { type Instant, later } from '../core/time.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { LocalCandidate } from './candidate.ts'
import type { CandidatePair, PairFailure } from './candidate-pair.ts'
import type { Check } from './check.ts'
import { Checker, type CheckListener } from './checker.ts'
import type { Checklist } from './checklist.ts'
import type { Component } from './component.ts'
import { Consent, type ConsentListener } from './consent.ts'
import type { IceCredentials } from './credentials.ts'
import type { EarlyCheck } from './early-checks.ts'
import { Generation } from './generation.ts'
import { Selection } from './selection.ts'
import { newTiebreaker, type Session } from './session.ts'
import { summaryOf } from './stats.ts'

export class LiveGeneration implements CheckListener, ConsentListener {
  readonly generation: Generation
  readonly checker: Checker
  readonly selection: Selection
  readonly consent: Consent
  /** When it is forgotten, after another one has taken its place; undefined while it is in use. */
  retireAt: Instant | undefined
  readonly #session: Session
  readonly #switchRole: (reason: 'request' | 'response') => void

  constructor(
    session: Session,
    credentials: IceCredentials,
    switchRole: (reason: 'request' | 'response') => void,
  ) {
    this.#session = session
    this.#switchRole = switchRole
    this.generation = new Generation(session, credentials)
    this.checker = new Checker(session, this.generation, this)
    this.selection = new Selection(session, this.generation, (pair, value, now) =>
      this.checker.send(pair, 'nomination', value, now),
    )
    this.consent = new Consent(session, this.generation, this)
  }

  nextDeadline(): Instant | undefined {
    return earliest(
      this.checker.nextDeadline,
      this.consent.nextDeadline,
      this.selection.waitUntil,
      this.retireAt,
      this.generation.hasFailed || this.generation.hasPaths ? undefined : this.#patienceDeadline(),
    )
  }

  handleTimeout(now: Instant): void {
    this.checker.handleTimeout(now)
    this.consent.handleTimeout(now)
    this.update(now)
  }

  /** Draws the conclusions of whatever has changed. */
  update(now: Instant): void {
    this.selection.update(now)
    this.consent.update(now)
    this.#judge(now)
  }

  /** Checks the pair whose turn it is in the list (RFC 8445 §6.1.4.2 steps 1 to 3). False if there is none. */
  checkNext(list: Checklist, now: Instant): boolean {
    for (let pair = list.takeTriggered(); pair !== undefined; pair = list.takeTriggered()) {
      if (pair.state === 'succeeded') continue
      this.#check(pair, now)
      return true
    }
    const { set } = this.generation
    if (!list.pairs.some((pair) => pair.state === 'waiting')) set.thaw(list)
    const waiting = list.pairs.filter((pair) => pair.state === 'waiting')
    const first = waiting[0]
    if (first === undefined) return false
    const view = this.selection.view(this.generation.componentOf(first), now)
    const pair = this.#session.options.policy.nextCheck(waiting, view)
    if (pair === undefined) return false
    this.#check(pair, now)
    return true
  }

  /** What follows from a request that was accepted (RFC 8445 §7.3.1.3–§7.3.1.5). */
  accepted(request: EarlyCheck, transaction: string | undefined, now: Instant): void {
    const { generation } = this
    const local = generation.bases.get(request.socket)
    if (local === undefined) return
    const pair = generation.paths.get(request.socket, request.source) ?? this.#learn(local, request)
    if (pair === undefined) return
    pair.isAuthenticated = true
    pair.stats.requestsReceived++
    pair.stats.responsesSent++
    pair.stats.lastPacketReceivedAt = now
    const isDuplicate = transaction !== undefined && pair.lastRequestId === transaction
    pair.lastRequestId = transaction
    this.consent.heard(generation.componentOf(pair), now)
    if (isDuplicate) return
    if (this.#session.options.lite) this.#acceptLite(pair, request.nomination, now)
    else {
      this.#trigger(pair)
      if (request.nomination !== undefined) this.#acceptNomination(pair, request.nomination, now)
    }
  }

  succeeded(pair: CandidatePair, check: Check, mapped: TransportAddress, now: Instant): void {
    const { generation } = this
    const list = generation.listOf(pair)
    // Lost consent comes back by a restart only (RFC 7675 §5.1); a pair off the list is nobody's.
    if (isConsentLost(pair) || !list.pairs.includes(pair)) return
    const local = this.#mappedCandidate(pair, mapped)
    const isNew = !pair.isValid || pair.mapped !== local
    pair.mapped = local
    pair.state = 'succeeded'
    pair.failure = undefined
    pair.failureDetail = undefined
    pair.isAuthenticated = true
    pair.validSince ??= now
    pair.consentUntil = later(now, this.#session.options.consentExpiryMs)
    if (pair.check !== undefined && pair.check !== check) pair.check.isCancelled = true
    pair.check = undefined
    list.unqueue(pair)
    if (isNew) {
      pair.updatePriority(this.#session.role)
      list.sort()
      generation.set.unfreeze(pair.foundation)
    }
    this.consent.heard(generation.componentOf(pair), now)
    if (check.nomination !== undefined && check.kind === 'nomination') {
      if (this.#session.role === 'controlling') this.selection.nominated(pair, check.nomination, now)
      else pair.isNominating = false
    } else if (pair.nominateOnSuccess) this.selection.nominated(pair, pair.nomination, now)
  }

  failed(
    pair: CandidatePair,
    _check: Check,
    failure: PairFailure,
    detail: string | undefined,
    now: Instant,
  ): void {
    const { generation } = this
    if (!generation.listOf(pair).pairs.includes(pair)) return
    // Deviation: RFC 8445 §7.2.5.3.4 fails the whole checklist with a nomination; other valid pairs may still do.
    const wasValid = pair.isValid
    generation.fail(pair, failure, detail)
    if (wasValid) this.selection.lost(pair, 'pair-lost', now)
    this.#session.outputs.push({ type: 'pair-failed', pair: summaryOf(pair) })
  }

  roleConflict(pair: CandidatePair, check: Check): void {
    if (check.role === this.#session.role) {
      this.#session.tiebreaker = newTiebreaker(this.#session.random)
      this.#switchRole('response')
    } else this.#session.drop('stale-role-conflict')
    pair.isNominating = false
    if (pair.isValid || isConsentLost(pair)) return
    pair.check = undefined
    pair.state = 'waiting'
    this.generation.listOf(pair).enqueue(pair)
  }

  consentRevoked(pair: CandidatePair, now: Instant): void {
    this.#loseConsent(pair, 'consent-revoked', now)
  }

  sendConsent(pair: CandidatePair, now: Instant): void {
    // Interop: with USE-CANDIDATE in them, the peer follows when a NAT gives us a new address.
    const repeats = this.#session.role === 'controlling' && pair.isNominated
    this.checker.send(pair, 'consent', repeats ? pair.nomination : undefined, now)
    if (this.generation.componentOf(pair).isSilent) this.#probeOthers(pair, now)
  }

  expired(pair: CandidatePair, now: Instant): void {
    this.#loseConsent(pair, 'consent-expired', now)
  }

  silenceChanged(component: Component, now: Instant): void {
    if (component.isSilent && component.sending !== undefined) this.#probeOthers(component.sending, now)
  }

  /** A socket is gone, and everything with it. */
  removeSocket(socket: SocketId, now: Instant): void {
    const { generation } = this
    generation.bases.delete(socket)
    for (let i = generation.locals.length - 1; i >= 0; i--) {
      if (generation.locals[i]!.socket === socket) generation.locals.splice(i, 1)
    }
    for (const pair of [...generation.set.pairs()]) {
      if (pair.local.socket !== socket && pair.socket !== socket) continue
      const wasValid = pair.isValid
      generation.fail(pair, 'socket-removed')
      if (wasValid) this.selection.lost(pair, 'pair-lost', now)
      if (pair.socket !== undefined) generation.paths.delete(pair.socket, pair.remote.address)
    }
  }

  #check(pair: CandidatePair, now: Instant): void {
    this.checker.send(pair, 'check', undefined, now)
  }

  /** RFC 8445 §7.3.1.3: a remote candidate that nobody has told us of, and its pair. */
  #learn(local: LocalCandidate, request: EarlyCheck): CandidatePair | undefined {
    const { generation } = this
    const known = generation.findRemote(local.stream, local.protocol, request.source)
    if (known !== undefined) return generation.insertPair(local, known, request.socket)
    const remote = {
      id: this.#session.newId('R'),
      stream: local.stream,
      foundation: this.#session.newId('prflx'),
      component: local.component,
      protocol: local.protocol,
      priority: request.priority ?? 1,
      address: request.source,
      type: 'prflx' as const,
    }
    generation.remotes.push(remote)
    return generation.insertPair(local, remote, request.socket)
  }

  /** RFC 8445 §7.3.1.4. */
  #trigger(pair: CandidatePair): void {
    const list = this.generation.listOf(pair)
    if (pair.state === 'succeeded' || isConsentLost(pair)) return
    if (pair.check !== undefined) pair.check.isCancelled = true
    pair.check = undefined
    pair.state = 'waiting'
    pair.failure = undefined
    if (list.state === 'failed') list.state = 'running'
    this.generation.hasFailed = false
    list.enqueue(pair)
  }

  /** RFC 8445 §7.3.1.5. */
  #acceptNomination(pair: CandidatePair, nomination: number, now: Instant): void {
    if (this.#session.role !== 'controlled') return
    pair.nomination = Math.max(pair.nomination, nomination)
    if (pair.isValid) this.selection.nominated(pair, nomination, now)
    else pair.nominateOnSuccess = true
  }

  /** RFC 8445 §7.3.2: a lite agent takes the peer's word for it. */
  #acceptLite(pair: CandidatePair, nomination: number | undefined, now: Instant): void {
    if (nomination === undefined) return
    pair.state = 'succeeded'
    pair.mapped = pair.local
    pair.validSince ??= now
    pair.consentUntil ??= later(now, Number.POSITIVE_INFINITY)
    this.selection.nominated(pair, nomination, now)
  }

  /** The candidate of ours with the mapped address, or a new peer-reflexive one (RFC 8445 §7.2.5.3.1). */
  #mappedCandidate(pair: CandidatePair, mapped: TransportAddress): LocalCandidate {
    const { local } = pair
    if (local.address.equals(mapped)) return local
    const { locals, foundations } = this.generation
    const known = locals.find(
      (candidate) =>
        candidate.socket === local.socket &&
        candidate.component === local.component &&
        candidate.protocol === local.protocol &&
        candidate.address.equals(mapped),
    )
    if (known !== undefined) return known
    const learnt: LocalCandidate = {
      ...local,
      id: this.#session.newId('L'),
      type: 'prflx',
      address: mapped,
      related: local.base,
      priority: local.checkPriority,
      foundation: foundations.of({
        type: 'prflx',
        base: local.base,
        protocol: local.protocol,
        server: undefined,
      }),
    }
    locals.push(learnt)
    return learnt
  }

  /** The selected pair is silent: what else there is gets a chance to show that it is alive. */
  #probeOthers(silent: CandidatePair, now: Instant): void {
    for (const pair of this.generation.listOf(silent).pairs) {
      if (pair !== silent && pair.component === silent.component && pair.isValid) {
        this.checker.send(pair, 'consent', undefined, now)
      }
    }
  }

  #loseConsent(pair: CandidatePair, failure: 'consent-expired' | 'consent-revoked', now: Instant): void {
    const { generation } = this
    generation.fail(pair, failure)
    pair.consentUntil = undefined
    this.selection.lost(pair, failure, now)
    this.#session.outputs.push({ type: 'pair-failed', pair: summaryOf(pair) })
    this.selection.update(now)
    if (!generation.hasPaths) this.#giveUp(`consent ${failure === 'consent-expired' ? 'expired' : 'revoked'}`)
  }

  #patienceDeadline(): Instant | undefined {
    return this.#patienceIsOver ? undefined : this.generation.patienceUntil
  }

  #patienceIsOver = false

  /** RFC 8445 §7.2.5.4, not before patience is over (RFC 8863 §4). */
  #judge(now: Instant): void {
    const { generation } = this
    if (generation.patienceUntil === undefined || now < generation.patienceUntil) return
    this.#patienceIsOver = true
    if (generation.hasFailed || generation.hasPaths) return
    for (const list of generation.set.lists) {
      if (list.state === 'running' && !list.hasValidPairs && list.isExhausted) list.state = 'failed'
    }
    if (generation.set.lists.every((list) => list.state === 'failed')) {
      this.#giveUp(generation.set.size === 0 ? 'no candidate pairs' : 'every candidate pair failed')
    }
  }

  #giveUp(reason: string): void {
    const { generation } = this
    if (generation.hasFailed) return
    generation.hasFailed = true
    generation.failReason = reason
  }
}

function isConsentLost(pair: CandidatePair): boolean {
  return pair.failure === 'consent-expired' || pair.failure === 'consent-revoked'
}

export function earliest(...instants: readonly (Instant | undefined)[]): Instant | undefined {
  let first: Instant | undefined
  for (const at of instants) if (at !== undefined && (first === undefined || at < first)) first = at
  return first
}
