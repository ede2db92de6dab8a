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
import type {
  CandidateDescription,
  CandidateProtocol,
  LocalCandidate,
  RemoteCandidate,
  TcpType,
} from './candidate.ts'
import { CandidatePair, type PairFailure } from './candidate-pair.ts'
import { Checklist } from './checklist.ts'
import { ChecklistSet } from './checklist-set.ts'
import type { Component } from './component.ts'
import type { IceCredentials, IceDescription } from './credentials.ts'
import type { EarlyCheck } from './early-checks.ts'
import { Foundations } from './foundations.ts'
import { defaultPacingMs } from './options.ts'
import { minimumPacingMs } from './pacer.ts'
import { comparePriority } from './pair-priority.ts'
import { canPair } from './pairing.ts'
import type { Session } from './session.ts'

/** Limit: descriptions that cross each other do so within the delay of any signaling that is of use. */
const crossingMs = 10_000

export class Generation {
  readonly credentials: IceCredentials
  /** Of our password: for requests to us and their answers. */
  readonly localKey: IntegrityKey
  remote: IceDescription | undefined
  /** When that was told. */
  describedAt: Instant | undefined
  /** Of the peer's password; undefined as long as `remote` is. */
  remoteKey: IntegrityKey | undefined
  readonly set: ChecklistSet
  /** Of all streams. */
  components: readonly Component[]
  readonly locals: LocalCandidate[] = []
  readonly remotes: RemoteCandidate[] = []
  /** What the peer has been told of ours with these credentials. */
  told = new Set<string>()
  /** The candidate that packets on a socket, or a connection, leave from and arrive at. */
  readonly bases = new Map<SocketId, LocalCandidate>()
  /** Pairs by socket and remote address. */
  readonly paths: AddressTable<CandidatePair>
  readonly foundations = new Foundations()
  /** Checks that came before the peer's credentials. */
  readonly early: EarlyCheck[] = []
  /** Pairs that the policy has not seen yet. */
  hasNewPairs = false
  hasAllLocals = false
  hasAllRemotes = false
  /** RFC 8863: until then no checklist fails; undefined before the peer's credentials are there. */
  patienceUntil: Instant | undefined
  /** Why it has failed; undefined while it has not. */
  failure: string | undefined
  readonly #session: Session

  constructor(session: Session, credentials: IceCredentials) {
    this.#session = session
    this.credentials = credentials
    this.localKey = { algorithm: 'sha1', key: shortTermKey(credentials.pwd) }
    this.paths = new AddressTable(randomUint32(session.random))
    const { streams, components } = session.options
    this.set = new ChecklistSet(
      Array.from({ length: streams }, (_, stream) => new Checklist(stream, components)),
    )
    this.components = this.set.lists.flatMap((list) => list.components)
  }

  setRemote(remote: IceDescription, patienceUntil: Instant, now: Instant): void {
    this.remote = remote
    this.describedAt = now
    this.remoteKey = { algorithm: 'sha1', key: shortTermKey(remote.pwd) }
    this.patienceUntil = patienceUntil
  }

  /** The Ta of both sides together (RFC 8445 §14.2). */
  get pacingMs(): number {
    return Math.max(this.#session.options.pacingMs, this.remote?.pacingMs ?? defaultPacingMs, minimumPacingMs)
  }

  /** Both sides know renomination: what has been nominated is not for good. */
  get canRenominate(): boolean {
    return this.#session.options.renomination && this.remote?.options?.includes('renomination') === true
  }

  /**
   * Whether checks with this fragment of the peer's are for us. Deviation: RFC 8445 §7.3 looks at our fragment only, for
   * the sake of forking, which a generation does not know. Once it has completed, an answer to a generation of the peer that
   * it does not know would have the peer take a path that we do not know.
   */
  expects(remoteUfrag: string): boolean {
    return this.remote === undefined || this.remote.ufrag === remoteUfrag || !this.isCompleted
  }

  /** Neither side sends checks (RFC 8445 §6.1.1). */
  get isLiteOnly(): boolean {
    return this.#session.options.lite && this.remote?.lite === true
  }

  listOf({ stream }: { readonly stream: number }): Checklist {
    return this.set.lists[stream]!
  }

  componentOf(pair: CandidatePair): Component | undefined {
    return this.listOf(pair).component(pair.component)
  }

  /** Everything that is to be selected is. */
  get isCompleted(): boolean {
    return this.set.lists.every((list) => list.state === 'completed')
  }

  /** The peer was told so long ago that nothing of before is under way any more. */
  isSettled(now: Instant): boolean {
    return this.describedAt !== undefined && now - this.describedAt > crossingMs
  }

  isOfPeer({ ufrag, pwd }: IceCredentials): boolean {
    return this.remote?.ufrag === ufrag && this.remote.pwd === pwd
  }

  /** Data may flow on every component. */
  get hasPaths(): boolean {
    for (const component of this.components) if (component.path === undefined) return false
    return true
  }

  findRemote(
    stream: number,
    protocol: CandidateProtocol,
    tcpType: TcpType | undefined,
    address: AddressWords,
  ): RemoteCandidate | undefined {
    return this.remotes.find(
      (candidate) =>
        candidate.stream === stream &&
        candidate.protocol === protocol &&
        candidate.tcpType === tcpType &&
        candidate.address.equals(address),
    )
  }

  /** Adds a candidate of ours and its pairs; false if it is redundant (RFC 8445 §5.1.3). */
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
    description: CandidateDescription,
    address: TransportAddress,
    stream: number,
    name: string | undefined,
  ): void {
    const remote = { ...description, address, name, id: this.#session.newId('R'), stream }
    this.remotes.push(remote)
    for (const local of this.locals) this.pair(local, remote)
  }

  /** No more candidates of the peer: components that it has none for are not there (RFC 8445 §6.1.2.2). */
  endOfRemotes(): void {
    this.hasAllRemotes = true
    for (const list of this.set.lists) {
      const numbers = this.remotes
        .filter(({ stream }) => stream === list.stream)
        .map(({ component }) => component)
      if (numbers.length > 0) list.limitComponents(Math.max(...numbers))
    }
    this.components = this.set.lists.flatMap((list) => list.components)
  }

  /**
   * A candidate that we know, by its checks or under another type, has been signalled. It becomes what it was told to be, and
   * its pairs live on with their states, checks and counters.
   */
  signalled(known: RemoteCandidate, description: CandidateDescription, name: string | undefined): void {
    const { foundation, priority, type, related, networkCost } = description
    Object.assign(known, { foundation, priority, type, related, networkCost, name })
    for (const pair of this.set.pairs()) {
      if (pair.remote === known) pair.candidatesChanged(this.#session.role)
    }
    for (const list of this.set.lists) list.sort()
    for (const local of this.locals) this.pair(local, known)
  }

  /** Forms a pair, unless the two do not go together, or it would be redundant (RFC 8445 §6.1.2.4) or useless. */
  pair(local: LocalCandidate, remote: RemoteCandidate): void {
    if (this.#session.options.lite || !canPair(local, remote)) return
    const list = this.listOf(local)
    if (list.component(local.component) === undefined) return
    // After the nomination only the peer begins anything new, unless both sides can change their mind.
    if (list.state === 'completed' && !this.canRenominate) return
    const twin = list.pairs.find(
      (pair) =>
        pair.remote === remote &&
        pair.local.socket === local.socket &&
        pair.local.protocol === local.protocol,
    )
    if (twin !== undefined) {
      // RFC 8838 §11 step 4: what has been checked stays.
      const isUntouched = twin.state === 'frozen' || (twin.state === 'waiting' && !twin.isQueued)
      if (!isUntouched || twin.local.priority >= local.priority) return
      this.removePair(twin)
    }
    this.insertPair(local, remote, local.protocol === 'udp' ? local.socket : undefined)
  }

  /** Puts a pair on its list; undefined if there is no room for it. */
  insertPair(
    local: LocalCandidate,
    remote: RemoteCandidate,
    socket: SocketId | undefined,
  ): CandidatePair | undefined {
    const list = this.listOf(local)
    const pair = new CandidatePair(this.#session.newId('P'), local, remote, this.#session.role)
    if (!this.#makeRoom(pair)) return undefined
    pair.state = this.set.stateOfNew(pair, list)
    list.insert(pair)
    this.hasNewPairs = true
    if (socket !== undefined) this.attach(pair, socket)
    return pair
  }

  /** The pair is sent from that socket from now on. */
  attach(pair: CandidatePair, socket: SocketId): void {
    pair.socket = socket
    this.paths.set(socket, pair.remote.address, pair)
  }

  detach(pair: CandidatePair): void {
    if (pair.socket === undefined) return
    if (this.paths.get(pair.socket, pair.remote.address) === pair) {
      this.paths.delete(pair.socket, pair.remote.address)
    }
    pair.socket = undefined
  }

  removePair(pair: CandidatePair): void {
    this.fail(pair, 'pruned')
    this.listOf(pair).remove(pair)
    this.detach(pair)
  }

  /** The pair stays on the list, as a line of the table that says what has been tried. */
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
    for (const pair of this.set.pairs()) pair.candidatesChanged(this.#session.role)
    for (const list of this.set.lists) list.sort()
  }

  /**
   * RFC 8445 §6.1.2.5, RFC 8838 §11 step 5: a failed pair makes room, or else the one of the lowest priority; not at the
   * cost of a shorter list.
   */
  #makeRoom(pair: CandidatePair): boolean {
    if (this.set.size < this.#session.options.maxPairs) return true
    const own = this.listOf(pair)
    let victim = pair
    for (const other of this.set.pairs()) {
      if (this.listOf(other).pairs.length < own.pairs.length) continue
      if (other.isValid || other.isQueued || other.state === 'in-progress') continue
      if (other.state === 'failed' && !other.isConsentLost) {
        victim = other
        break
      }
      if (comparePriority(other.priority, victim.priority) < 0) victim = other
    }
    if (victim === pair) return false
    this.removePair(victim)
    return true
  }
}
