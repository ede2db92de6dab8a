/** Our ICE as werift's transports see it: an adapter over `IceSession`. */

import type { Host } from '../core/host.ts'
import type { CandidateDescription } from '../ice/candidate.ts'
import type { IceState } from '../ice/outputs.ts'
import { IceSession, type ServerFailure } from './ice-session.ts'
import {
  type Candidate,
  type CandidatePair,
  type IceConnection,
  type IceOptions,
  WeriftEvent,
  type WeriftIceState,
} from './werift.ts'
import { candidateOf, descriptionOf, pairsOf } from './werift-candidates.ts'

/** Limit: how long `setLocalDescription` waits for the first candidate, so that a description has some. */
const firstCandidateMs = 100

export class AgentConnection implements IceConnection {
  readonly session: IceSession
  readonly onData = new HeldBackEvent()
  readonly stateChanged = new WeriftEvent<[WeriftIceState]>()
  readonly onIceCandidate = new WeriftEvent<[Candidate]>()
  onEndOfCandidates: () => void = () => {}

  iceLite = false
  remoteIsLite = false
  remoteUsername = ''
  remotePassword = ''
  remoteCandidatesEnd = false
  localCandidatesEnd = false
  generation = 0
  localCandidates: Candidate[] = []
  remoteCandidates: Candidate[] = []
  options = {} as IceOptions
  #iceControlling = false
  /** Candidates of a restart come before the description that they belong to is set: they wait for it. */
  #isTelling = false
  #untold: Candidate[] = []
  #isEndTold = false
  #firstCandidate: (() => void) | undefined
  #connected: { resolve(): void; reject(error: Error): void } | undefined

  constructor(
    host: Host,
    options: ConstructorParameters<typeof IceSession>[1],
    failed: (failure: ServerFailure) => void,
  ) {
    this.session = new IceSession(host, options, {
      candidate: (candidate, ufrag) => this.#gathered(candidate, ufrag),
      endOfCandidates: () => {
        this.localCandidatesEnd = true
        this.#firstCandidate?.()
        this.#tellEnd()
      },
      state: (state, reason) => this.#stateChanged(state, reason),
      serverFailed: failed,
      data: (bytes) => this.onData.execute(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)),
    })
  }

  get iceControlling(): boolean {
    return this.#iceControlling
  }

  /** werift sets it with every description; roles are settled when the session begins, and then by ICE itself. */
  set iceControlling(value: boolean) {
    if (!this.session.isOpen) this.#iceControlling = value
  }

  get localUsername(): string {
    return this.session.credentials.ufrag
  }

  get localPassword(): string {
    return this.session.credentials.pwd
  }

  get state(): WeriftIceState {
    return stateOf(this.session.state) ?? 'new'
  }

  get candidatePairs(): CandidatePair[] {
    return pairsOf(this.session.stats(), [...this.localCandidates, ...this.remoteCandidates])
  }

  get checkList(): CandidatePair[] {
    return this.candidatePairs
  }

  /** Optional in werift's type, which cannot say so of a getter. */
  get nominated(): CandidatePair {
    return this.candidatePairs.find((pair) => pair.nominated) as CandidatePair
  }

  /** Resolves with the first candidate, so that the description has one; the others are trickled. */
  async gatherCandidates(): Promise<void> {
    this.#isTelling = true
    for (const candidate of this.#untold.splice(0)) this.#tell(candidate)
    this.session.gather(this.#iceControlling ? 'controlling' : 'controlled')
    if (this.localCandidates.length === 0 && !this.localCandidatesEnd) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, firstCandidateMs)
        this.#firstCandidate = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#tellEnd()
  }

  setRemoteParams({
    iceLite,
    usernameFragment,
    password,
  }: Parameters<IceConnection['setRemoteParams']>[0]): void {
    if (usernameFragment === this.remoteUsername && password === this.remotePassword) return
    this.remoteIsLite = iceLite
    this.remoteUsername = usernameFragment
    this.remotePassword = password
    this.session.setRemote({ ufrag: usernameFragment, pwd: password, lite: iceLite })
    // werift calls a restarted transport new, though its old path goes on until there is a better one.
    if (this.generation > 0) this.#stateChanged(this.session.state, undefined)
  }

  async addRemoteCandidate(candidate: Candidate | undefined): Promise<void> {
    if (candidate === undefined) {
      this.remoteCandidatesEnd = true
      this.session.addRemoteCandidate('end')
      return
    }
    const description = descriptionOf(candidate)
    // A candidate that says nothing we know is ignored, as RFC 8839 §5.1 has it.
    if (description === undefined) return
    // A description and trickling may tell the same one.
    if (!this.remoteCandidates.some((other) => other.toSdp() === candidate.toSdp()))
      this.remoteCandidates.push(candidate)
    this.session.addRemoteCandidate(description)
  }

  /** Resolves when data may flow. */
  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#connected = { resolve, reject: (error) => reject(error) }
      this.#stateChanged(this.session.state, undefined)
    })
  }

  async send(data: Buffer): Promise<void> {
    this.session.send(data)
  }

  /** werift starts anew only what has failed; our session restarts by itself, and says when it is connected again. */
  restart(): void {
    this.generation++
    this.remoteUsername = ''
    this.remotePassword = ''
    this.remoteCandidatesEnd = false
    this.localCandidatesEnd = false
    this.localCandidates = []
    this.remoteCandidates = []
    this.#isTelling = false
    this.#isEndTold = false
    this.session.restart()
  }

  close(): Promise<void> {
    return this.session.close()
  }

  getDefaultCandidate(): Candidate | undefined {
    return this.localCandidates.find(({ transport }) => transport === 'udp')
  }

  /** Our agent renominates by itself (`IceAgentOptions.renomination`). */
  resetNominatedPair(): void {}

  /** Servers are read from the configuration when gathering begins. */
  setIceServers(): void {}

  #gathered(description: CandidateDescription, ufrag: string): void {
    const candidate = candidateOf(description, this.generation, ufrag)
    if (this.#isTelling) this.#tell(candidate)
    else this.#untold.push(candidate)
  }

  #tell(candidate: Candidate): void {
    this.localCandidates.push(candidate)
    this.#firstCandidate?.()
    this.onIceCandidate.execute(candidate)
  }

  #tellEnd(): void {
    if (!this.localCandidatesEnd || !this.#isTelling || this.#isEndTold) return
    this.#isEndTold = true
    this.onEndOfCandidates()
  }

  #stateChanged(state: IceState, reason: string | undefined): void {
    const told = stateOf(state)
    if (told === undefined) return
    if (told === 'connected' || told === 'completed') this.#connected?.resolve()
    else if (told === 'failed')
      this.#connected?.reject(new Error(`ICE has failed: ${reason ?? 'no pair answered'}`))
    else if (told === 'closed') this.#connected?.reject(new Error('the connection was closed'))
    this.stateChanged.execute(told)
  }
}

/** Keeps what arrives before somebody listens: the peer may be a step ahead with its DTLS. */
class HeldBackEvent extends WeriftEvent<[Buffer]> {
  #held: Buffer[] | undefined = []

  constructor() {
    super()
    const { execute, subscribe } = this
    this.execute = (data) => {
      if (this.#held === undefined) execute(data)
      else if (this.#held.length < maxHeldBack) this.#held.push(data)
    }
    this.subscribe = (...args) => {
      const subscription = subscribe(...args)
      const held = this.#held ?? []
      this.#held = undefined
      for (const data of held) execute(data)
      return subscription
    }
  }
}

/** Limit: the flight of a handshake has fewer packets. */
const maxHeldBack = 32

/** undefined for what RTCIceTransport tells by itself. */
function stateOf(state: IceState): WeriftIceState | undefined {
  return state === 'checking' || state === 'new' ? undefined : state
}
