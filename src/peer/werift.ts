/**
 * werift's RTCPeerConnection on our ICE: the only file that knows werift. Its DTLS, SRTP, SCTP and SDP are used as they
 * are; the ICE connection beneath each transport is an adapter over `IceSession`, put there after construction, for
 * werift has no hook for it. test/peer/werift-contract.test.ts fails when what is relied on here has moved.
 */

import {
  Candidate,
  type CandidatePair,
  CandidatePairState,
  candidateFromIce,
  type IceConnection,
  type IceOptions,
  RTCDtlsTransport,
  RTCIceGatherer,
  RTCIceTransport,
  RTCPeerConnection,
  type RTCPeerConnectionConfig,
  Event as WeriftEvent,
  type IceState as WeriftIceState,
} from 'werift'
import type { Host } from '../core/host.ts'
import { TransportAddress } from '../core/transport-address.ts'
import type { CandidateDescription, CandidateType, TcpType } from '../ice/candidate.ts'
import type { IceState } from '../ice/outputs.ts'
import type { CandidatePairStats, CandidateStats, IceStats } from '../ice/stats.ts'
import type { IceTransportOptions } from '../net/ice/options.ts'
import { NodeHost } from '../net/node-host.ts'
import { explain } from './explain.ts'
import { IceSession, type ServerFailure } from './ice-session.ts'

export {
  MediaStream,
  MediaStreamTrack,
  type RTCDataChannel,
  RTCIceCandidate,
  type RTCRtpTransceiver,
  RTCSessionDescription,
  RtpPacket,
} from 'werift'
export { MediaRecorder } from 'werift/nonstandard'
export { createMp4WebmRegister } from 'werift/polyfill'

export interface PeerConnectionConfig extends Partial<RTCPeerConnectionConfig> {
  /** The machine, or the simulated one, that it runs on; this one unless given. */
  readonly host?: Host
  /** What else the ICE transport is to be made with; servers and policy are W3C's `iceServers`, `iceTransportPolicy`. */
  readonly ice?: Omit<Partial<IceTransportOptions>, 'role' | 'credentials' | 'servers' | 'transportPolicy'>
}

/** AEAD_AES_128_GCM and AES_CM_128_HMAC_SHA1_80 (RFC 7714 §14.2, RFC 5764 §4.1.2). */
const srtpProfiles = [0x0007, 0x0001] as const

/** Limit: how long `setLocalDescription` waits for the first candidate, so that a description has some. */
const firstCandidateMs = 100

/** W3C's RTCPeerConnection, and what is known of a connection that does not come about. */
export class PeerConnection extends RTCPeerConnection {
  readonly #connections: AgentConnection[] = []

  constructor({ host = new NodeHost(), ice = {}, ...config }: PeerConnectionConfig = {}) {
    // werift asks a public server of its own accord when there is no list.
    super({ iceServers: [], ...config, bundlePolicy: 'max-bundle' })
    // biome-ignore lint/complexity/useLiteralKeys: private to TypeScript, and reached by this spelling only
    const manager = this['secureManager']
    manager.createTransport = () => {
      const session = () => ({
        mdns: 'resolve' as const,
        ...ice,
        servers: this.getConfiguration().iceServers ?? [],
        transportPolicy:
          this.getConfiguration().iceTransportPolicy === 'relay' ? ('relay' as const) : ('all' as const),
      })
      const connection = new AgentConnection(host, session, (failure) => this.#serverFailed(failure))
      this.#connections.push(connection)
      const gatherer = new AgentGatherer(connection)
      gatherer.onGatheringStateChange.subscribe(() => manager.updateIceGatheringState())
      manager.updateIceGatheringState()
      const transport = new RTCIceTransport(gatherer)
      transport.onStateChange.subscribe(() => manager.updateIceConnectionState())
      return new PromptDtlsTransport(manager.config, transport, manager.certificate, [...srtpProfiles])
    }
  }

  /** Pairs and candidates as our ICE counts them; werift's `getStats` has the rest. */
  iceStats(): IceStats {
    const all = this.#connections.map(({ session }) => session.stats())
    return {
      pairs: all.flatMap(({ pairs }) => pairs),
      candidates: all.flatMap(({ candidates }) => candidates),
    }
  }

  /** Why there is no connection, or by which pair there is one: lines for people. */
  explain(): string {
    const sessions = this.#connections.map(({ session }) => session)
    return explain({
      state: this.iceConnectionState,
      pairs: sessions.flatMap((session) => session.pairs()),
      serverFailures: sessions.flatMap(({ serverFailures }) => serverFailures),
      localCandidates: this.#connections.reduce(
        (sum, { localCandidates }) => sum + localCandidates.length,
        0,
      ),
      remoteCandidates: this.#connections.reduce(
        (sum, { remoteCandidates }) => sum + remoteCandidates.length,
        0,
      ),
    })
  }

  /** W3C's icecandidateerror, which werift knows and never fires. 701: the server gave no answer that helps. */
  #serverFailed({ url, reason }: ServerFailure): void {
    const event = Object.assign(new Event('icecandidateerror'), { url, errorCode: 701, errorText: reason })
    this.onicecandidateerror?.(event as never)
    this.dispatchEvent(event)
  }
}

/** Tells candidates as they come, and their end when it has come; werift's own tells the end when gathering begins. */
class AgentGatherer extends RTCIceGatherer {
  readonly #agent: AgentConnection

  constructor(agent: AgentConnection) {
    // It makes a connection of its own first, which opens nothing and is let go of.
    super({})
    this.#agent = agent
    ;(this as { connection: IceConnection }).connection = agent
    agent.onIceCandidate.subscribe((candidate) => this.onIceCandidate(candidateFromIce(candidate)))
    agent.onEndOfCandidates = () => {
      this.onIceCandidate(undefined)
      this.setGatheringState('complete')
    }
  }

  override async gather(): Promise<void> {
    if (this.gatheringState !== 'new') return
    this.setGatheringState('gathering')
    await this.#agent.gatherCandidates()
  }
}

/** Sends its ClientHello at once, where werift's waits 100 ms for a server that our ICE holds packets back for. */
class PromptDtlsTransport extends RTCDtlsTransport {
  override async start(): Promise<void> {
    const started = super.start()
    const { dtls } = this
    if (this.role === 'client' && dtls !== undefined && 'connect' in dtls) {
      const client = dtls as { connect(): Promise<void> }
      const connect = client.connect.bind(client)
      client.connect = async () => {}
      connect().catch((error) => dtls.onError.execute(error))
    }
    return started
  }
}

/** What werift's transports see of our ICE. */
class AgentConnection implements IceConnection {
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
    return pairsOf(this)
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

function candidateOf(description: CandidateDescription, generation: number, ufrag: string): Candidate {
  const { foundation, component, protocol, priority, address, type, related, tcpType } = description
  const host = 'name' in address ? address.name : address.ip
  return new Candidate(
    foundation,
    component,
    protocol,
    priority,
    host,
    address.port,
    type,
    related?.ip,
    related?.port,
    tcpType,
    generation,
    ufrag,
  )
}

const types: readonly string[] = ['host', 'srflx', 'prflx', 'relay']
const tcpTypes: readonly unknown[] = ['active', 'passive', 'so']

function descriptionOf(candidate: Candidate): CandidateDescription | undefined {
  const { component, priority, host, port, type, tcptype, ufrag } = candidate
  const protocol = candidate.transport.toLowerCase()
  if ((protocol !== 'udp' && protocol !== 'tcp') || !types.includes(type)) return undefined
  const address = addressOf(host, port)
  if (address === undefined) return undefined
  return {
    foundation: candidate.foundation.replace(/^candidate:/, ''),
    component,
    protocol,
    priority,
    address,
    type: type as CandidateType,
    tcpType: tcpTypes.includes(tcptype) ? (tcptype as TcpType) : undefined,
    ufrag,
  }
}

function addressOf(host: string, port: number): CandidateDescription['address'] | undefined {
  if (host.endsWith('.local')) return { name: host, port }
  try {
    return TransportAddress.of(host, port)
  } catch {
    return undefined
  }
}

const pairStates: Readonly<Record<CandidatePairStats['state'], CandidatePairState>> = {
  frozen: CandidatePairState.FROZEN,
  waiting: CandidatePairState.WAITING,
  'in-progress': CandidatePairState.IN_PROGRESS,
  succeeded: CandidatePairState.SUCCEEDED,
  failed: CandidatePairState.FAILED,
}

/** Our pairs with the fields that werift's statistics read. */
function pairsOf({ session }: AgentConnection): CandidatePair[] {
  const { pairs, candidates } = session.stats()
  const byId = new Map(candidates.map((candidate) => [candidate.id, candidate]))
  return pairs.map((pair) => {
    const fields = {
      id: pair.id,
      nominated: pair.nominated,
      state: pairStates[pair.state],
      localCandidate: statsCandidate(byId.get(pair.localCandidateId)),
      remoteCandidate: statsCandidate(byId.get(pair.remoteCandidateId)),
      packetsSent: pair.packetsSent,
      packetsReceived: pair.packetsReceived,
      bytesSent: pair.bytesSent,
      bytesReceived: pair.bytesReceived,
      rtt: pair.currentRoundTripTime,
      totalRoundTripTime: pair.totalRoundTripTime,
      roundTripTimeMeasurements: pair.responsesReceived,
      requestsReceived: pair.requestsReceived,
      requestsSent: pair.requestsSent,
      responsesReceived: pair.responsesReceived,
      responsesSent: pair.responsesSent,
      retransmissionsReceived: 0,
      retransmissionsSent: pair.retransmissionsSent,
      consentRequestsSent: pair.consentRequestsSent,
    }
    return fields as unknown as CandidatePair
  })
}

function statsCandidate(stats: CandidateStats | undefined): Candidate {
  return new Candidate(
    stats?.foundation ?? '',
    1,
    stats?.protocol ?? 'udp',
    stats?.priority ?? 0,
    stats?.address ?? '',
    stats?.port ?? 0,
    stats?.candidateType ?? 'host',
    stats?.relatedAddress,
    stats?.relatedPort,
    stats?.tcpType,
    undefined,
    stats?.usernameFragment,
  )
}
