/**
 * The ICE agent (RFC 8445 with RFC 8838, RFC 8863, RFC 7675 and RFC 6544) without a socket: what happens goes in, what is
 * to be done comes out, and user data passes by outside. It knows of sockets only that one can send from them: whether
 * one is a UDP socket, a TURN allocation or a TCP connection is the driver's business.
 */

import type { Random } from '../core/random.ts'
import type { Core, Datagram, SocketId } from '../core/sans-io.ts'
import { earliest, type Instant, later } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { Message } from '../stun/message.ts'
import type { CandidateDescription } from './candidate.ts'
import { type IceCredentials, type IceDescription, newCredentials } from './credentials.ts'
import type { GatheredCandidate } from './gathered-candidate.ts'
import { GatheredCandidates, type LocalCandidateVerdict } from './gathered-candidates.ts'
import type { Generation } from './generation.ts'
import { Generations } from './generations.ts'
import { Inbound, type InputVerdict } from './inbound.ts'
import { type IceAgentOptions, resolveOptions } from './options.ts'
import type { IceOutput, IceState, PairSummary } from './outputs.ts'
import { RemoteCandidates, type RemoteCandidateVerdict } from './remote-candidates.ts'
import { type IceRole, otherRole } from './role.ts'
import { Scheduler } from './scheduler.ts'
import type { SendPath } from './send-path.ts'
import { type IceDropReason, Session } from './session.ts'
import { type IceStats, statsOf, summaryOf } from './stats.ts'

export class IceAgent implements Core<IceOutput> {
  readonly #session: Session
  readonly #generations: Generations
  readonly #inbound: Inbound
  readonly #scheduler: Scheduler
  readonly #remoteCandidates: RemoteCandidates
  readonly #gathered: GatheredCandidates
  /** The generation that was the last to be told of its peer. */
  #described: Generation | undefined
  /** How many credentials we have had, and how many the peer has told us: a restart that is not answered yet is one more. */
  #ours = 1
  #theirs = 0
  #state: IceState = 'new'
  readonly #toldPaths: (SendPath | undefined)[] = []

  constructor(options: IceAgentOptions, random: Random) {
    const session = new Session(resolveOptions(options), random)
    this.#session = session
    this.#generations = new Generations(session, options.credentials ?? newCredentials(random), () =>
      this.#switchRole('response'),
    )
    this.#scheduler = new Scheduler(session, this.#generations)
    this.#remoteCandidates = new RemoteCandidates(session)
    this.#inbound = new Inbound(session, this.#generations, () => this.#switchRole('request'))
    this.#gathered = new GatheredCandidates(session)
  }

  get state(): IceState {
    return this.#state
  }

  get role(): IceRole {
    return this.#session.role
  }

  /** What to signal to the peer, besides candidates: of the newest generation. */
  get localDescription(): IceDescription {
    const { lite, renomination, pacingMs } = this.#session.options
    const options = ['ice2', 'trickle', ...(renomination ? ['renomination'] : [])]
    return { ...this.#newest.credentials, lite, options, pacingMs }
  }

  /** What has been dropped, and why. */
  get drops(): Readonly<Partial<Record<IceDropReason, number>>> {
    return this.#session.drops
  }

  /** Where to send user data now; undefined: nowhere. The same object for as long as the path is the same. */
  sendPath(stream = 0, component = 1): SendPath | undefined {
    if (this.#state === 'closed') return undefined
    return this.#generations.active.generation.set.lists[stream]?.component(component)?.path
  }

  /** The pairs of the newest generation, the best first. */
  pairs(): PairSummary[] {
    return [...this.#newest.set.pairs()].map(summaryOf)
  }

  /** W3C's statistics of the generation that data goes by. */
  stats(now: Instant): IceStats {
    return statsOf(this.#generations.active.generation, now)
  }

  /**
   * What the peer has signalled. Other credentials than before are a restart by the peer, which restarts us too, and
   * `localDescription` is new and has to be signalled back ('restarted'); unless they answer a restart of ours, or cross it
   * (docs/adr/0016-restarts-in-step.md).
   */
  setRemoteDescription(remote: IceDescription, now: Instant): 'set' | 'restarted' | 'unchanged' {
    const known = this.#newest.remote
    if (known !== undefined && this.#newest.isOfPeer(remote)) return 'unchanged'
    // One that answers a restart with what it has told before has had no other.
    if (this.#described?.isOfPeer(remote) !== true) this.#theirs++
    // What has not been answered for so long never will be.
    if (this.#newest.isSettled(now)) this.#theirs = this.#ours + 1
    const isRestart = known !== undefined && this.#theirs > this.#ours
    if (isRestart) {
      this.#restart(newCredentials(this.#session.random))
    } else if (known !== undefined) this.#renew()
    const { lite, patienceMs } = this.#session.options
    this.#newest.setRemote(remote, later(now, patienceMs), now)
    // It may have answered our restart with what it has told before, and does not tell it again.
    if (this.#described?.isOfPeer(remote) === true)
      this.#remoteCandidates.adopt(this.#described, this.#newest)
    this.#described = this.#newest
    // RFC 8445 §6.1.1: of a full and a lite agent, the full one controls.
    const isMixed = lite !== (remote.lite === true)
    if (isMixed && this.#session.role !== (lite ? 'controlled' : 'controlling')) this.#switchRole('lite-peer')
    for (const { candidate, stream } of this.#remoteCandidates.takeEarly()) {
      this.#addRemote(candidate, stream)
    }
    this.#takeEarlyChecks(now)
    this.#settle(now)
    return isRestart ? 'restarted' : 'set'
  }

  /** A candidate that the driver has found. Its socket is ready to send and to receive. */
  addLocalCandidate(gathered: GatheredCandidate, now: Instant): LocalCandidateVerdict {
    const verdict = this.#gathered.add(gathered, this.#newest)
    this.#settle(now)
    return verdict
  }

  /** Gathering is over (RFC 8838 §13). */
  endOfLocalCandidates(now: Instant): void {
    const generation = this.#newest
    if (generation.hasAllLocals) return
    generation.hasAllLocals = true
    this.#session.outputs.push({ type: 'end-of-candidates', ufrag: generation.credentials.ufrag })
    this.#settle(now)
  }

  /** A candidate that the peer has signalled. What is wrong with one has no effect on others. */
  addRemoteCandidate(candidate: CandidateDescription, now: Instant, stream = 0): RemoteCandidateVerdict {
    const verdict = this.#addRemote(candidate, stream)
    this.#settle(now)
    return verdict
  }

  /** The answer to 'resolve-name', ports ignored; no addresses if the name has none. */
  nameResolved(name: string, addresses: readonly TransportAddress[], now: Instant): void {
    this.#remoteCandidates.nameResolved(name, addresses, this.#newest)
    this.#settle(now)
  }

  /** The peer has told of all its candidates (RFC 8838 §14). */
  endOfRemoteCandidates(now: Instant): void {
    this.#newest.endOfRemotes()
    this.#settle(now)
  }

  /** A socket is gone: an interface is down, an allocation has ended. Its candidates and pairs go with it. */
  removeSocket(socket: SocketId, now: Instant): void {
    this.#gathered.removeSocket(socket)
    for (const live of this.#generations.all) live.removeSocket(socket, now)
    this.#settle(now)
  }

  /** The system refuses to send there, as where there is no route. Pairs that are still being checked fail at once. */
  sendFailed(socket: SocketId, destination: AddressWords, reason: string, now: Instant): void {
    for (const live of this.#generations.all) {
      const pair = live.generation.paths.get(socket, destination)
      if (pair?.state === 'in-progress') live.failPair(pair, 'unreachable', reason, now)
    }
    this.#settle(now)
  }

  /** The connection that 'open-connection' asked for is there. */
  connectionOpened(connection: SocketId, now: Instant): void {
    this.#generations.all.some((live) => live.tcp.connectionOpened(connection, now))
    this.#settle(now)
  }

  connectionFailed(connection: SocketId, reason: string, now: Instant): void {
    this.#generations.all.some((live) => live.tcp.connectionFailed(connection, reason, now))
    this.#settle(now)
  }

  /** A connection has come in at the listener of a candidate. False if it is nobody's, and is to be closed. */
  connectionAccepted(connection: SocketId, socket: SocketId): boolean {
    const taken = this.#generations.all.map((live) => live.tcp.connectionAccepted(connection, socket))
    return taken.includes(true)
  }

  connectionClosed(connection: SocketId, reason: string | undefined, now: Instant): void {
    for (const live of this.#generations.all) live.tcp.connectionClosed(connection, reason, now)
    this.#settle(now)
  }

  /**
   * Starts a second generation beside the first: data goes on where it goes until the new one has selected pairs
   * (RFC 8445 §9). Candidates whose sockets are still there are told again with the new credentials.
   */
  restart(now: Instant, credentials: IceCredentials = newCredentials(this.#session.random)): IceCredentials {
    this.#restart(credentials)
    this.#settle(now)
    return credentials
  }

  /** Whether a STUN message is for this agent: for several agents behind one socket. */
  accepts(message: Message): boolean {
    return this.#inbound.accepts(message)
  }

  /** 'data' has to be delivered by the driver; everything else has been dealt with. */
  handleDatagram(datagram: Datagram, now: Instant): InputVerdict {
    if (this.#state === 'closed') return this.#session.drop('not-stun')
    const verdict = this.#inbound.handleDatagram(datagram, now)
    if (verdict === 'stun') this.#settle(now, true)
    else if (verdict === 'data' && this.#state === 'disconnected') this.#settle(now)
    return verdict
  }

  handleTimeout(now: Instant): void {
    if (this.#state === 'closed') return
    for (const live of this.#generations.all) live.handleTimeout(now)
    this.#settle(now, true)
  }

  pollTimeout(): Instant | undefined {
    if (this.#state === 'closed') return undefined
    return earliest(this.#generations.nextDeadline, this.#scheduler.nextDeadline)
  }

  poll(): IceOutput | undefined {
    return this.#session.outputs.take()
  }

  /** Ends the session, and with it the connections that it opened; sockets are the driver's to close. */
  close(): void {
    if (this.#state === 'closed') return
    for (const live of this.#generations.all) live.tcp.closeAll()
    this.#state = 'closed'
    this.#session.outputs.push({ type: 'state', state: 'closed', reason: undefined })
  }

  get #newest(): Generation {
    return this.#generations.newest.generation
  }

  /** After every input: conclusions, a check if one is due, and what there is to tell. */
  #settle(now: Instant, mayCheck = false): void {
    if (this.#state === 'closed') return
    for (const live of this.#generations.all) live.update(now)
    if (mayCheck) this.#scheduler.run(now)
    this.#generations.cutOver(now)
    this.#tellPaths()
    this.#tellState()
  }

  #tellPaths(): void {
    let index = 0
    for (const component of this.#generations.active.generation.components) {
      const { path, stream, id, pathReason } = component
      if (this.#toldPaths[index] !== path) {
        this.#toldPaths[index] = path
        this.#session.outputs.push({ type: 'path', stream, component: id, path, reason: pathReason })
      }
      index++
    }
  }

  #tellState(): void {
    const { state, reason } = this.#generations.state
    if (state === this.#state) return
    this.#state = state
    this.#session.outputs.push({ type: 'state', state, reason })
    if (state === 'failed') {
      this.#session.outputs.push({ type: 'restart-needed', reason: reason ?? '', pairs: this.pairs() })
    }
  }

  #switchRole(reason: 'request' | 'response' | 'lite-peer'): void {
    this.#session.role = otherRole(this.#session.role)
    for (const { generation } of this.#generations.all) generation.updatePriorities()
    this.#session.outputs.push({ type: 'role', role: this.#session.role, reason })
  }

  #restart(credentials: IceCredentials): void {
    this.#ours++
    const { generation } = this.#generations.restart(credentials)
    this.#gathered.addTo(generation, true)
  }

  /** Begins with the newest generation from the start: the peer has other credentials than it seemed. */
  #renew(): void {
    const { hasAllLocals, told } = this.#newest
    const { generation } = this.#generations.renew()
    generation.told = told
    this.#gathered.addTo(generation, false)
    generation.hasAllLocals = hasAllLocals
  }

  #addRemote(candidate: CandidateDescription, stream: number): RemoteCandidateVerdict {
    return this.#remoteCandidates.add(candidate, stream, this.#newest, (ufrag) =>
      this.#generations.all.some(({ generation }) => generation.remote?.ufrag === ufrag),
    )
  }

  /** Checks that came before the peer's credentials, and have been answered then. */
  #takeEarlyChecks(now: Instant): void {
    const { generation, incoming } = this.#generations.newest
    for (const early of generation.early.splice(0)) {
      if (early.ufrag === generation.remote?.ufrag) incoming.accept(early, undefined, now)
    }
  }
}
