/** What follows from a check of the peer that was accepted (RFC 8445 §7.3.1.3 to §7.3.1.5, §7.3.2). */

import { isSameIp } from '../core/ip.ts'
import type { Instant } from '../core/time.ts'
import type { LocalCandidate, RemoteCandidate, TcpType } from './candidate.ts'
import type { CandidatePair } from './candidate-pair.ts'
import type { Consent } from './consent.ts'
import type { EarlyCheck } from './early-checks.ts'
import type { Generation } from './generation.ts'
import type { Selection } from './selection.ts'
import type { Session } from './session.ts'

/** What the other end of a connection is that has come in at, or been opened from, a candidate of ours. */
const tcpCounterpart: Readonly<Record<TcpType, TcpType>> = { active: 'passive', passive: 'active', so: 'so' }

/**
 * Limit: two NATs that give each destination another port make a new address of every check and of every answer, and no
 * answer comes from where the check went. So many addresses of one host are followed; further ones are answered only.
 */
const maxFollowedAddresses = 8

export class IncomingChecks {
  readonly #session: Session
  readonly #generation: Generation
  readonly #selection: Selection
  readonly #consent: Consent

  constructor(session: Session, generation: Generation, selection: Selection, consent: Consent) {
    this.#session = session
    this.#generation = generation
    this.#selection = selection
    this.#consent = consent
  }

  /** `transaction` is undefined for a check that came early, and is looked at now. */
  accept(request: EarlyCheck, transaction: string | undefined, now: Instant): void {
    const local = this.#generation.bases.get(request.socket)
    if (local === undefined) return
    const pair = this.#generation.paths.get(request.socket, request.source) ?? this.#newPair(local, request)
    if (pair === undefined) return
    const isDuplicate = transaction !== undefined && pair.lastRequestId === transaction
    pair.lastRequestId = transaction
    pair.isAuthenticated = true
    pair.counters.requestsReceived++
    pair.counters.responsesSent++
    this.#consent.heard(pair, now)
    if (isDuplicate) return
    if (this.#session.options.lite) this.#acceptLite(pair, request.nomination, now)
    else {
      this.#trigger(pair)
      if (request.nomination !== undefined) this.#acceptNomination(pair, request.nomination, now)
    }
  }

  /** RFC 8445 §7.3.1.3, §7.3.1.4: a pair that is on no list yet, and maybe a remote candidate that nobody has told us of. */
  #newPair(local: LocalCandidate, request: EarlyCheck): CandidatePair | undefined {
    if (this.#leadsNowhere(request)) return undefined
    const { stream, protocol } = local
    const tcpType = local.tcpType === undefined ? undefined : tcpCounterpart[local.tcpType]
    const remote =
      this.#generation.findRemote(stream, protocol, tcpType, request.source) ??
      this.#learn(local, tcpType, request)
    return this.#generation.insertPair(local, remote, request.socket)
  }

  #leadsNowhere({ socket, source }: EarlyCheck): boolean {
    let followed = 0
    for (const { socket: from, failure, remote } of this.#generation.set.pairs()) {
      if (from !== socket || failure !== 'non-symmetric-response') continue
      if (isSameIp(remote.address, source)) followed++
    }
    return followed >= maxFollowedAddresses
  }

  #learn(local: LocalCandidate, tcpType: TcpType | undefined, request: EarlyCheck): RemoteCandidate {
    const remote: RemoteCandidate = {
      id: this.#session.newId('R'),
      stream: local.stream,
      component: local.component,
      protocol: local.protocol,
      tcpType,
      type: 'prflx',
      address: request.source,
      priority: request.priority ?? 1,
      foundation: this.#session.newId('prflx'),
    }
    this.#generation.remotes.push(remote)
    return remote
  }

  /** RFC 8445 §7.3.1.4. */
  #trigger(pair: CandidatePair): void {
    if (pair.state === 'succeeded' || pair.isConsentLost) return
    const list = this.#generation.listOf(pair)
    if (pair.check !== undefined) pair.check.isCancelled = true
    pair.check = undefined
    pair.state = 'waiting'
    pair.failure = undefined
    pair.failureDetail = undefined
    if (list.state === 'failed') list.state = 'running'
    this.#generation.failure = undefined
    list.enqueue(pair)
  }

  /** RFC 8445 §7.3.1.5. */
  #acceptNomination(pair: CandidatePair, nomination: number, now: Instant): void {
    if (this.#session.role !== 'controlled' || pair.isConsentLost) return
    pair.nomination = Math.max(pair.nomination, nomination)
    if (this.#consent.isFresh(pair, now)) this.#selection.nominated(pair, nomination, now)
    else {
      pair.nominateOnSuccess = true
      // A pair that has rested for long proves itself again before data goes there.
      if (pair.isValid) this.#generation.listOf(pair).enqueue(pair)
    }
  }

  /** RFC 8445 §7.3.2: a lite agent takes the peer's word for it. */
  #acceptLite(pair: CandidatePair, nomination: number | undefined, now: Instant): void {
    if (nomination === undefined) return
    pair.state = 'succeeded'
    pair.failure = undefined
    pair.mapped = pair.local
    pair.validSince ??= now
    this.#generation.failure = undefined
    this.#selection.nominated(pair, nomination, now)
  }
}
