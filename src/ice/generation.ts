/**
 * One generation of a session: one pair of credentials on each side, the candidates that were told with them, and the
 * checklists made of them. A restart puts a second generation beside the first (RFC 8445 §9).
 */

import { AddressTable } from '../core/address-table.ts'
import { randomUint32 } from '../core/random.ts'
import type { SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import { shortTermKey } from '../stun/credentials.ts'
import type { IntegrityKey } from '../stun/integrity.ts'
import type { CandidateDescription, LocalCandidate, RemoteCandidate } from './candidate.ts'
import { CandidatePair, type PairFailure } from './candidate-pair.ts'
import { Checklist, ChecklistSet } from './checklist.ts'
import { Component } from './component.ts'
import type { IceCredentials } from './credentials.ts'
import type { EarlyCheck } from './early-checks.ts'
import { Foundations } from './foundations.ts'
import { defaultPacingMs } from './options.ts'
import { minimumPacingMs } from './pacer.ts'
import { canPair } from './pairing.ts'
import type { Session } from './session.ts'

/** What the peer says of itself, besides candidates. */
export interface RemoteDescription extends IceCredentials {
  readonly lite?: boolean | undefined
  /** Tags of `ice-options`. */
  readonly options?: readonly string[] | undefined
  /** The Ta that it proposes. */
  readonly pacingMs?: number | undefined
}

export class Generation {
  readonly credentials: IceCredentials
  /** Of our password: signs and checks what is about requests to us. */
  readonly localKey: IntegrityKey
  remote: RemoteDescription | undefined
  /** Of the peer's password; undefined as long as `remote` is. */
  remoteKey: IntegrityKey | undefined
  readonly set: ChecklistSet
  readonly locals: LocalCandidate[] = []
  readonly remotes: RemoteCandidate[] = []
  /** The candidate that packets on a socket are sent from and arrive at. */
  readonly bases = new Map<SocketId, LocalCandidate>()
  /** Pairs by socket and remote address. */
  readonly paths: AddressTable<CandidatePair>
  readonly foundations = new Foundations()
  /** Checks that came before the peer's credentials. */
  readonly early: EarlyCheck[] = []
  hasAllLocals = false
  hasAllRemotes = false
  /** RFC 8863: until then no checklist fails; undefined before the checks begin. */
  patienceUntil: Instant | undefined
  hasFailed = false
  failReason: string | undefined
  readonly #session: Session

  constructor(session: Session, credentials: IceCredentials) {
    this.#session = session
    this.credentials = credentials
    this.localKey = { algorithm: 'sha1', key: shortTermKey(credentials.pwd) }
    this.paths = new AddressTable(randomUint32(session.random))
    const { streams, components } = session.options
    this.set = new ChecklistSet(
      Array.from(
        { length: streams },
        (_, stream) =>
          new Checklist(
            stream,
            Array.from({ length: components }, (_, i) => new Component(stream, i + 1)),
          ),
      ),
    )
  }

  /** The Ta of both sides together (RFC 8445 §14.2). */
  get pacingMs(): number {
    return Math.max(this.#session.options.pacingMs, this.remote?.pacingMs ?? defaultPacingMs, minimumPacingMs)
  }

  /** Both sides know renomination: what has been nominated is not for good. */
  get canRenominate(): boolean {
    return this.#session.options.renomination && this.remote?.options?.includes('renomination') === true
  }

  setRemote(remote: RemoteDescription): void {
    this.remote = remote
    this.remoteKey = { algorithm: 'sha1', key: shortTermKey(remote.pwd) }
  }

  listOf(pair: CandidatePair): Checklist {
    return this.set.lists[pair.local.stream]!
  }

  componentOf(pair: CandidatePair): Component {
    return this.listOf(pair).component(pair.component)!
  }

  *components(): Iterable<Component> {
    for (const list of this.set.lists) yield* list.components
  }

  /** Everything that is selected is selected. */
  get isCompleted(): boolean {
    return this.set.lists.every((list) => list.state === 'completed')
  }

  get hasPaths(): boolean {
    for (const component of this.components()) if (component.path === undefined) return false
    return true
  }

  findRemote(stream: number, protocol: string, address: AddressWords): RemoteCandidate | undefined {
    return this.remotes.find(
      (candidate) =>
        candidate.stream === stream && candidate.protocol === protocol && candidate.address.equals(address),
    )
  }

  /** Adds a candidate of ours, unless it is redundant (RFC 8445 §5.1.3), and its pairs. */
  addLocal(candidate: LocalCandidate): boolean {
    const isRedundant = this.locals.some(
      (other) =>
        other.stream === candidate.stream &&
        other.protocol === candidate.protocol &&
        other.tcpType === candidate.tcpType &&
        other.socket === candidate.socket &&
        other.address.equals(candidate.address) &&
        other.base.equals(candidate.base),
    )
    if (isRedundant) return false
    this.locals.push(candidate)
    const base = this.bases.get(candidate.socket)
    if (base === undefined || base.priority < candidate.priority) this.bases.set(candidate.socket, candidate)
    for (const remote of this.remotes) this.pair(candidate, remote)
    return true
  }

  addRemote(
    description: CandidateDescription & { address: TransportAddress },
    stream: number,
  ): RemoteCandidate {
    const remote = { ...description, id: this.#session.newId('R'), stream }
    this.remotes.push(remote)
    for (const local of this.locals) this.pair(local, remote)
    return remote
  }

  /** A peer-reflexive candidate has now been signalled: it becomes what it was told to be, and its pairs live on. */
  signalled(known: RemoteCandidate, description: CandidateDescription): void {
    const { foundation, priority, type, related, networkCost } = description
    Object.assign(known, { foundation, priority, type, related, networkCost })
    for (const pair of this.set.pairs()) {
      if (pair.remote !== known) continue
      pair.foundation = `${pair.local.foundation}:${foundation}`
      pair.updatePriority(this.#session.role)
    }
    for (const list of this.set.lists) list.sort()
    for (const local of this.locals) this.pair(local, known)
  }

  /** Forms a pair and puts it on its list; undefined if the two do not go together or the pair would be redundant. */
  pair(local: LocalCandidate, remote: RemoteCandidate): CandidatePair | undefined {
    if (this.#session.options.lite || !canPair(local, remote)) return undefined
    if (local.protocol === 'udp') {
      const existing = this.paths.get(local.socket, remote.address)
      if (existing !== undefined) {
        const isUntouched = existing.state === 'frozen' || existing.state === 'waiting'
        if (!isUntouched || existing.local.priority >= local.priority) return undefined
        this.removePair(existing)
      }
    }
    return this.insertPair(local, remote, local.protocol === 'udp' ? local.socket : undefined)
  }

  /** Puts a pair on its list, whatever else there is. */
  insertPair(
    local: LocalCandidate,
    remote: RemoteCandidate,
    socket: SocketId | undefined,
  ): CandidatePair | undefined {
    const list = this.set.lists[local.stream]!
    const pair = new CandidatePair(this.#session.newId('P'), local, remote, this.#session.role)
    pair.socket = socket
    if (!this.#makeRoom(pair)) return undefined
    pair.state = this.set.stateOfNew(pair, list)
    list.insert(pair)
    if (socket !== undefined) this.paths.set(socket, remote.address, pair)
    return pair
  }

  removePair(pair: CandidatePair): void {
    this.listOf(pair).remove(pair)
    if (pair.check !== undefined) pair.check.isCancelled = true
    pair.check = undefined
    if (pair.socket !== undefined && this.paths.get(pair.socket, pair.remote.address) === pair) {
      this.paths.delete(pair.socket, pair.remote.address)
    }
  }

  fail(pair: CandidatePair, failure: PairFailure, detail?: string): void {
    pair.state = 'failed'
    pair.failure = failure
    pair.failureDetail = detail
    pair.isNominating = false
    pair.nominateOnSuccess = false
    if (pair.check !== undefined) pair.check.isCancelled = true
    pair.check = undefined
    this.listOf(pair).unqueue(pair)
  }

  /** After a change of role: priorities depend on it. */
  updatePriorities(): void {
    for (const pair of this.set.pairs()) pair.updatePriority(this.#session.role)
    for (const list of this.set.lists) list.sort()
  }

  /** RFC 8445 §6.1.2.5, RFC 8838 §11 step 5: a failed pair goes first, then one of lower priority. */
  #makeRoom(pair: CandidatePair): boolean {
    if (this.set.size < this.#session.options.maxPairs) return true
    let victim: CandidatePair | undefined
    for (const other of this.set.pairs()) {
      if (other.isValid || other.isNominated || other.state === 'in-progress') continue
      if (other.state === 'failed') {
        victim = other
        break
      }
      if (other.priority.high < (victim ?? pair).priority.high) victim = other
    }
    if (victim === undefined) return false
    this.removePair(victim)
    return true
  }
}
