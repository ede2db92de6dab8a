/**
 * The ICE agent (RFC 8445 with RFC 8838, RFC 8863 and RFC 7675) without a socket: what happens goes in, what is to be
 * done comes out, and user data passes by outside. It knows of sockets only that one can send from them: whether one is
 * a UDP socket, a TURN allocation or a TCP connection is the driver's business.
 */

import type { Random } from '../core/random.ts'
import { type Core, type Datagram, datagramBytes, type SocketId } from '../core/sans-io.ts'
import { type Instant, instant, later } from '../core/time.ts'
import { type AddressWords, TransportAddress } from '../core/transport-address.ts'
import { checkFingerprint } from '../stun/integrity.ts'
import { decodeMessage, type Message } from '../stun/message.ts'
import type { CandidateDescription } from './candidate.ts'
import { type IceCredentials, newCredentials } from './credentials.ts'
import type { EarlyCheck } from './early-checks.ts'
import type { Generation, RemoteDescription } from './generation.ts'
import { earliest, LiveGeneration } from './live-generation.ts'
import { type GatheredCandidate, localCandidateOf } from './local-candidates.ts'
import { type IceAgentOptions, resolveOptions } from './options.ts'
import type { IceOutput, IceState, PairSummary, SendPath } from './outputs.ts'
import { localUfragOf, Responder } from './responder.ts'
import { type IceRole, otherRole } from './role.ts'
import { type IceDropReason, Session } from './session.ts'
import { summaryOf } from './stats.ts'

/** 'data' is for the application: it came from an address that has proved to be the peer's. */
export type InputVerdict = 'data' | 'stun' | 'dropped'

export type LocalCandidateVerdict = 'added' | 'redundant' | 'filtered' | 'ended'
export type RemoteCandidateVerdict =
  | 'added'
  | 'redundant'
  | 'buffered'
  | 'resolving'
  | 'old-generation'
  | 'after-end-of-candidates'
  | 'unusable-name'
  | 'unknown-stream'

/** How long an old generation still answers after a new one has taken over (RFC 8445 §8.3.1). */
const retireAfterMs = 3000

export class IceAgent implements Core<IceOutput> {
  readonly #session: Session
  readonly #responder: Responder
  /** The generation that data goes by. */
  #active: LiveGeneration
  /** Beside it after a restart, until it takes over; candidates and descriptions are about this one. */
  #next: LiveGeneration | undefined
  /** What it has taken over from, for as long as late checks may come. */
  #retiring: LiveGeneration | undefined
  /** Candidates that came before their credentials. */
  readonly #buffered: { candidate: CandidateDescription; stream: number }[] = []
  #gathered: GatheredCandidate[] = []
  #nextCheckAt: Instant = instant(Number.NEGATIVE_INFINITY)
  #state: IceState = 'new'
  #told: (SendPath | undefined)[] = []

  constructor(options: IceAgentOptions, random: Random) {
    this.#session = new Session(resolveOptions(options), random)
    this.#responder = new Responder(this.#session, {
      switchRole: (reason) => this.#switchRole(reason),
      accepted: (generation, request, transaction, now) =>
        this.#liveOf(generation).accepted(request, transaction, now),
    })
    this.#active = this.#newGeneration(options.credentials ?? newCredentials(random))
  }

  get state(): IceState {
    return this.#state
  }

  get role(): IceRole {
    return this.#session.role
  }

  /** What to signal to the peer, besides candidates: of the newest generation. */
  get localDescription(): RemoteDescription {
    const { lite, renomination, pacingMs } = this.#session.options
    const options = ['ice2', 'trickle', ...(renomination ? ['renomination'] : [])]
    return { ...this.#newest.generation.credentials, lite, options, pacingMs }
  }

  /** What has been dropped, and why. */
  get drops(): Readonly<Partial<Record<IceDropReason, number>>> {
    return this.#session.drops
  }

  /** Where to send user data now; undefined: nowhere. The same object as long as the path is the same. */
  sendPath(stream = 0, component = 1): SendPath | undefined {
    return this.#active.generation.set.lists[stream]?.component(component)?.path
  }

  /** The pairs of the newest generation, the best first. */
  pairs(): PairSummary[] {
    return [...this.#newest.generation.set.pairs()].map(summaryOf)
  }

  /**
   * What the peer has signalled. Credentials other than the last ones are a restart by the peer, and restart us too: then
   * `localDescription` is new and has to be signalled back.
   */
  setRemoteDescription(remote: RemoteDescription, now: Instant): 'set' | 'restarted' | 'unchanged' {
    const known = this.#newest.generation.remote
    if (known !== undefined && known.ufrag === remote.ufrag && known.pwd === remote.pwd) return 'unchanged'
    const isRestart = known !== undefined
    if (isRestart) this.restart(now)
    const { generation } = this.#newest
    generation.setRemote(remote)
    const { lite, patienceMs } = this.#session.options
    generation.patienceUntil = later(now, patienceMs)
    // RFC 8445 §6.1.1: of a full and a lite agent, the full one controls.
    if (remote.lite === true && !lite && this.#session.role === 'controlled') this.#switchRole('lite-peer')
    if (lite && remote.lite !== true && this.#session.role === 'controlling') this.#switchRole('lite-peer')
    for (const { candidate, stream } of this.#buffered.splice(0)) {
      this.addRemoteCandidate(candidate, now, stream)
    }
    this.#takeEarly(now)
    this.#settle(now)
    return isRestart ? 'restarted' : 'set'
  }

  /** A candidate that the driver has found. Its socket is ready to send and to receive. */
  addLocalCandidate(gathered: GatheredCandidate, now: Instant): LocalCandidateVerdict {
    const verdict = this.#addGathered(gathered, this.#newest.generation)
    if (verdict === 'added') {
      this.#gathered.push(gathered)
      this.#settle(now)
    }
    return verdict
  }

  /** Gathering is over (RFC 8838 §13). */
  endOfLocalCandidates(now: Instant): void {
    const { generation } = this.#newest
    if (generation.hasAllLocals) return
    generation.hasAllLocals = true
    this.#session.outputs.push({ type: 'end-of-candidates', ufrag: generation.credentials.ufrag })
    this.#settle(now)
  }

  addRemoteCandidate(candidate: CandidateDescription, now: Instant, stream = 0): RemoteCandidateVerdict {
    const { generation } = this.#newest
    const list = generation.set.lists[stream]
    if (list?.component(candidate.component) === undefined) return 'unknown-stream'
    const { remote } = generation
    if (remote === undefined || (candidate.ufrag !== undefined && candidate.ufrag !== remote.ufrag)) {
      if (this.#live.some((live) => live.generation.remote?.ufrag === candidate.ufrag))
        return 'old-generation'
      this.#buffered.push({ candidate, stream })
      return 'buffered'
    }
    if (generation.hasAllRemotes) return 'after-end-of-candidates'
    if (!(candidate.address instanceof TransportAddress)) return 'unusable-name'
    const { address } = candidate
    const known = generation.findRemote(stream, candidate.protocol, address)
    if (known === undefined) generation.addRemote({ ...candidate, address }, stream)
    else if (known.type !== 'prflx') return 'redundant'
    else generation.signalled(known, candidate)
    this.#settle(now)
    return 'added'
  }

  /** The peer has told of all its candidates (RFC 8838 §14). */
  endOfRemoteCandidates(now: Instant): void {
    this.#newest.generation.hasAllRemotes = true
    this.#settle(now)
  }

  /** A socket is gone: an interface is down, an allocation has ended. Its candidates and pairs go with it. */
  removeSocket(socket: SocketId, now: Instant): void {
    this.#gathered = this.#gathered.filter((gathered) => gathered.socket !== socket)
    for (const live of this.#live) live.removeSocket(socket, now)
    this.#settle(now)
  }

  /**
   * Starts a second generation beside the first: data goes on where it goes until the new one has selected pairs
   * (RFC 8445 §9). Candidates whose sockets are still there are told again with the new credentials.
   */
  restart(now: Instant, credentials: IceCredentials = newCredentials(this.#session.random)): IceCredentials {
    const next = this.#newGeneration(credentials)
    this.#next = next
    for (const gathered of this.#gathered) this.#addGathered(gathered, next.generation)
    this.#settle(now)
    return credentials
  }

  /** Whether a STUN message is for this agent: for several agents behind one socket. */
  accepts(message: Message): boolean {
    if (message.class === 'request') return this.#byUfrag(localUfragOf(message)) !== undefined
    return this.#live.some((live) => live.checker.owns(message.transactionId))
  }

  /** 'data' has to be delivered by the driver; everything else has been dealt with. */
  handleDatagram(datagram: Datagram, now: Instant): InputVerdict {
    const { socket, source } = datagram
    const first = datagram.bytes[datagram.start]
    if (first === undefined || datagram.end <= datagram.start) return this.#session.drop('not-stun')
    if (first > 3) return this.#handleData(datagram, now)
    const message = decodeMessage(datagramBytes(datagram))
    if (typeof message === 'string') return this.#session.drop('not-stun')
    if (message.fingerprintOffset >= 0 ? !checkFingerprint(message) : message.class === 'request') {
      return this.#session.drop('bad-fingerprint')
    }
    const verdict = this.#handleMessage(message, socket, source, now)
    if (verdict !== 'dropped') this.#settle(now, true)
    return verdict
  }

  handleTimeout(now: Instant): void {
    for (const live of this.#live) live.handleTimeout(now)
    const retireAt = this.#retiring?.retireAt
    if (retireAt !== undefined && retireAt <= now) this.#retire(this.#retiring!)
    this.#settle(now, true)
  }

  pollTimeout(): Instant | undefined {
    if (this.#state === 'closed') return undefined
    return earliest(
      ...this.#live.map((live) => live.nextDeadline()),
      this.#newest.generation.remote !== undefined && this.#hasWork ? this.#nextSlot : undefined,
    )
  }

  poll(): IceOutput | undefined {
    return this.#session.outputs.take()
  }

  /** Ends the session. Sockets are the driver's to close. */
  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#session.outputs.push({ type: 'state', state: 'closed', reason: undefined })
  }

  get #newest(): LiveGeneration {
    return this.#next ?? this.#active
  }

  /** All that answer checks, the one that data goes by first. */
  get #live(): LiveGeneration[] {
    return [this.#active, this.#next, this.#retiring].filter((live) => live !== undefined)
  }

  get #hasWork(): boolean {
    return !this.#session.options.lite && this.#newest.generation.set.hasWork
  }

  get #nextSlot(): Instant {
    return instant(Math.max(this.#session.options.pacer.freeAt, this.#nextCheckAt))
  }

  #handleMessage(message: Message, socket: SocketId, source: AddressWords, now: Instant): 'stun' | 'dropped' {
    if (message.method !== 'Binding') return this.#session.drop('unexpected-message')
    // Indications keep bindings alive, are not authenticated, and so say nothing (RFC 8445 §11).
    if (message.class === 'indication') return 'stun'
    if (message.class !== 'request') {
      const live = this.#live.find(({ checker }) => checker.owns(message.transactionId))
      return (
        live?.checker.handleResponse(message, socket, source, now) ??
        this.#session.drop('unknown-transaction')
      )
    }
    if (!this.#live.some(({ generation }) => generation.bases.has(socket))) {
      return this.#session.drop('unknown-socket')
    }
    if (message.integrityOffset < 0 || !message.has('USERNAME')) {
      return this.#responder.refuse(message, 400, socket, source)
    }
    const live = this.#byUfrag(localUfragOf(message))
    if (live === undefined) return this.#responder.refuse(message, 401, socket, source)
    return this.#responder.handleRequest(message, live.generation, socket, source, now)
  }

  #handleData({ socket, source, start, end }: Datagram, now: Instant): InputVerdict {
    for (const { generation, consent } of this.#live) {
      const pair = generation.paths.get(socket, source)
      if (pair?.isAuthenticated === true) {
        pair.stats.packetsReceived++
        pair.stats.bytesReceived += end - start
        pair.stats.lastPacketReceivedAt = now
        consent.heard(generation.componentOf(pair), now)
        return 'data'
      }
      if (generation.early.some((early) => early.socket === socket && early.source.equals(source)))
        return 'data'
    }
    return this.#session.drop('unvalidated-source')
  }

  /** After every input: conclusions, checks that are due, and what there is to tell. */
  #settle(now: Instant, mayCheck = false): void {
    if (this.#state === 'closed') return
    for (const live of this.#live) live.update(now)
    if (mayCheck) this.#checkDue(now)
    this.#cutOver(now)
    this.#tellPaths()
    this.#tellState()
  }

  /** One check for each Ta that has passed (RFC 8445 §6.1.4.2). */
  #checkDue(now: Instant): void {
    const { generation } = this.#newest
    if (generation.remote === undefined || !this.#hasWork || this.#nextSlot > now) return
    if (!generation.set.hasBegun) generation.set.begin()
    for (const list of generation.set.inTurn()) {
      if (!this.#newest.checkNext(list, now)) continue
      generation.set.tookTurn(list)
      this.#session.options.pacer.take(now)
      this.#nextCheckAt = later(now, generation.pacingMs)
      return
    }
  }

  /** Data moves to the new generation when that has selected its pairs, or has any while the old one is of no use. */
  #cutOver(now: Instant): void {
    const old = this.#active
    const fresh = this.#next
    if (fresh === undefined) return
    const isReady = fresh.generation.isCompleted || (fresh.generation.hasPaths && !old.generation.hasPaths)
    if (!isReady) return
    for (const component of fresh.generation.components()) component.pathReason = 'restarted'
    if (this.#retiring !== undefined) this.#retire(this.#retiring)
    old.retireAt = later(now, retireAfterMs)
    this.#active = fresh
    this.#next = undefined
    this.#retiring = old
  }

  #retire(live: LiveGeneration): void {
    this.#retiring = undefined
    this.#session.outputs.push({ type: 'generation-retired', ufrag: live.generation.credentials.ufrag })
  }

  #tellPaths(): void {
    let index = 0
    for (const component of this.#active.generation.components()) {
      const { path } = component
      const at = index++
      if (this.#told[at] === path) continue
      this.#told[at] = path
      const { stream, id, pathReason } = component
      this.#session.outputs.push({ type: 'path', stream, component: id, path, reason: pathReason })
    }
  }

  #tellState(): void {
    const [state, reason] = this.#currentState()
    if (state === this.#state) return
    this.#state = state
    this.#session.outputs.push({ type: 'state', state, reason })
    if (state === 'failed') {
      this.#session.outputs.push({ type: 'restart-needed', reason: reason ?? '', pairs: this.pairs() })
    }
  }

  #currentState(): [IceState, string | undefined] {
    const { generation } = this.#active
    if (generation.hasPaths) {
      for (const component of generation.components()) {
        if (component.isSilent) return ['disconnected', `nothing heard from ${component.path?.destination}`]
      }
      return [generation.isCompleted ? 'completed' : 'connected', undefined]
    }
    if (generation.hasFailed) return ['failed', generation.failReason]
    return [generation.remote === undefined ? 'new' : 'checking', undefined]
  }

  #switchRole(reason: 'request' | 'response' | 'lite-peer'): void {
    this.#session.role = otherRole(this.#session.role)
    for (const { generation } of this.#live) generation.updatePriorities()
    this.#session.outputs.push({ type: 'role', role: this.#session.role, reason })
  }

  #newGeneration(credentials: IceCredentials): LiveGeneration {
    return new LiveGeneration(this.#session, credentials, (reason) => this.#switchRole(reason))
  }

  #liveOf(generation: Generation): LiveGeneration {
    return this.#live.find((live) => live.generation === generation)!
  }

  #byUfrag(ufrag: string | undefined): LiveGeneration | undefined {
    return this.#live.find((live) => live.generation.credentials.ufrag === ufrag)
  }

  #addGathered(gathered: GatheredCandidate, generation: Generation): LocalCandidateVerdict {
    if (generation.hasAllLocals) return 'ended'
    const candidate = localCandidateOf(gathered, generation, this.#session)
    const { options, outputs } = this.#session
    if (!options.gatherFilter(candidate)) return 'filtered'
    if (!generation.addLocal(candidate)) return 'redundant'
    if (options.advertiseFilter(candidate)) {
      outputs.push({
        type: 'local-candidate',
        stream: candidate.stream,
        ufrag: generation.credentials.ufrag,
        candidate: options.describe(candidate),
        local: candidate,
      })
    }
    return 'added'
  }

  #takeEarly(now: Instant): void {
    const { generation } = this.#newest
    const ufrag = generation.remote?.ufrag
    const due: EarlyCheck[] = generation.early.filter((early) => early.ufrag === ufrag)
    generation.early.length = 0
    for (const early of due) this.#newest.accepted(early, undefined, now)
  }
}
