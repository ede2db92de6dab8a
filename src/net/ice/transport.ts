/**
 * ICE with a Host's sockets (RFC 8445): an agent, and the UDP sockets, allocations and connections that its candidates
 * send from. Gathers, signals by events, connects, carries data; when it is closed nothing is left, no timer and no
 * allocation.
 */

import { TurnpikeError } from '../../core/errors.ts'
import type { Host, UdpBindOptions } from '../../core/host.ts'
import { datagramOf, type SocketId, socketId } from '../../core/sans-io.ts'
import type { Instant } from '../../core/time.ts'
import { type AddressWords, TransportAddress } from '../../core/transport-address.ts'
import { IceAgent } from '../../ice/agent.ts'
import type { CandidateDescription } from '../../ice/candidate.ts'
import { candidateFilters } from '../../ice/candidate-filter.ts'
import type { IceCredentials, IceDescription } from '../../ice/credentials.ts'
import type { GatheredCandidate } from '../../ice/gathered-candidate.ts'
import type { InputVerdict } from '../../ice/inbound.ts'
import { describeByName } from '../../ice/mdns.ts'
import type { IceEvent, IceOutput, IceState, PairSummary } from '../../ice/outputs.ts'
import type { RemoteCandidateVerdict } from '../../ice/remote-candidates.ts'
import type { SendPath } from '../../ice/send-path.ts'
import type { IceStats } from '../../ice/stats.ts'
import { Alarm } from './alarm.ts'
import type { IceBase, IceBases, Lane } from './base.ts'
import { Gathering, type GatheringState } from './gathering.ts'
import { HostNames } from './host-names.ts'
import { pacerOf } from './host-pacer.ts'
import type { IceTransportOptions } from './options.ts'
import { RelayedAddress } from './relayed-address.ts'
import type { ConnectionListener } from './tcp-bases.ts'
import type { BaseHandlers, BaseSocket, MuxedSession } from './udp-mux.ts'

export type IceTransportEvent =
  | IceEvent
  | { readonly type: 'gathering'; readonly state: 'gathering' | 'complete' }
  /** A STUN or TURN server that is of no use. Gathering goes on without it. */
  | { readonly type: 'server-failed'; readonly url: string; readonly reason: string }
  /** An address of this host without a candidate: no socket could be bound to it. */
  | { readonly type: 'bind-failed'; readonly address: TransportAddress; readonly reason: string }
  /** After `close`: every allocation has been given back. Nothing follows. */
  | { readonly type: 'closed' }

export interface IceTransportHandlers {
  /** In order. Candidates to signal are among them. */
  onEvent(event: IceTransportEvent): void
  /** A packet from the peer. The bytes belong to the receiver. */
  onData(bytes: Uint8Array, stream: number, component: number): void
}

export interface IceTransport {
  readonly state: IceState
  /** Credentials and options to signal to the peer; of the newest generation. */
  readonly localDescription: IceDescription
  /** Candidates come as events from now on, each to be signalled at once (RFC 8838). Throws `uri-invalid`. */
  gather(): void
  /** What the peer has signalled. Others than the last credentials are a restart by the peer. */
  connect(remote: IceDescription): 'set' | 'restarted' | 'unchanged'
  addRemoteCandidate(candidate: CandidateDescription, stream?: number): RemoteCandidateVerdict
  endOfRemoteCandidates(): void
  /** New credentials; data goes on by the old path until there is a new one (RFC 8445 §9). */
  restart(): IceCredentials
  /** False if it was not sent: there is no path, or its server takes less than it is given. Bytes must not change. */
  send(bytes: Uint8Array, stream?: number, component?: number): boolean
  /** All pairs, the best first, each with what became of it. */
  pairs(): PairSummary[]
  stats(): IceStats
  /** Ends the session; `closed` follows when the allocations have been given back. */
  close(): void
}

/**
 * No handler is called before this has returned, nor while a method that was called from outside runs. Throws
 * `configuration-invalid` for options that exclude each other.
 */
export function openIce(
  host: Host,
  options: IceTransportOptions,
  handlers: IceTransportHandlers,
): IceTransport {
  checkMux(options)
  return new Transport(host, options, handlers)
}

class Transport implements IceTransport, IceBases {
  readonly host: Host
  readonly lanes: readonly Lane[]
  readonly #options: IceTransportOptions
  readonly #handlers: IceTransportHandlers
  readonly #agent: IceAgent
  readonly #alarm: Alarm
  readonly #bases = new Map<SocketId, { readonly base: IceBase; readonly lane: Lane }>()
  readonly #gathering: Gathering
  readonly #names: HostNames
  readonly #muxed: MuxedSession | undefined
  #nextSocket = 0
  #isDraining = false
  #isClosed = false

  constructor(host: Host, options: IceTransportOptions, handlers: IceTransportHandlers) {
    this.host = host
    this.#options = options
    this.#handlers = handlers
    this.lanes = lanesOf(options)
    const isRelayOnly = options.transportPolicy === 'relay'
    const { gatherFilter = candidateFilters.all } = options
    this.#names = new HostNames(host)
    const describe =
      options.mdns === 'hide' ? describeByName((address) => this.#names.nameOf(address)) : undefined
    this.#agent = new IceAgent(
      {
        pacer: pacerOf(host),
        ...options,
        ...(describe && { describe }),
        gatherFilter: (candidate) =>
          gatherFilter(candidate) && (!isRelayOnly || candidateFilters.relay(candidate)),
      },
      host.random,
    )
    this.#muxed = options.mux?.join()
    this.#muxed?.add(this.#agent.localDescription.ufrag)
    this.#alarm = new Alarm(host.clock, () => {
      this.#agent.handleTimeout(host.clock.now())
      this.#drain()
    })
    this.#gathering = new Gathering(this, options, this.#connections(), {
      gatheringChanged: (state) => this.#gatheringChanged(state),
      ended: () => handlers.onEvent({ type: 'closed' }),
    })
  }

  get state(): IceState {
    return this.#agent.state
  }

  get localDescription(): IceDescription {
    return this.#agent.localDescription
  }

  gather(): void {
    if (!this.#isClosed) this.#gathering.start()
  }

  connect(remote: IceDescription): 'set' | 'restarted' | 'unchanged' {
    const result = this.#agent.setRemoteDescription(remote, this.host.clock.now())
    if (result === 'restarted') this.#begunAnew()
    this.#drain()
    return result
  }

  addRemoteCandidate(candidate: CandidateDescription, stream = 0): RemoteCandidateVerdict {
    if (candidate.address instanceof TransportAddress && candidate.protocol === 'udp') {
      this.#gathering.permit(candidate.address)
    }
    const verdict = this.#agent.addRemoteCandidate(candidate, this.host.clock.now(), stream)
    this.#drain()
    return verdict
  }

  endOfRemoteCandidates(): void {
    this.#agent.endOfRemoteCandidates(this.host.clock.now())
    this.#drain()
  }

  restart(): IceCredentials {
    const credentials = this.#agent.restart(this.host.clock.now())
    this.#begunAnew()
    this.#drain()
    return credentials
  }

  send(bytes: Uint8Array, stream = 0, component = 1): boolean {
    const path = this.#agent.sendPath(stream, component)
    if (path === undefined) return false
    const isSent = this.#bases.get(path.socket)?.base.send(bytes, path.destination) === true
    if (isSent) path.countSent(bytes.length, this.host.clock.now())
    else path.countDiscarded(bytes.length)
    return isSent
  }

  pairs(): PairSummary[] {
    return this.#agent.pairs()
  }

  stats(): IceStats {
    return this.#agent.stats(this.host.clock.now())
  }

  close(): void {
    if (this.#isClosed) return
    this.#agent.close()
    this.#drain()
    this.#isClosed = true
    this.#alarm.clear()
    this.#names.close()
    this.#muxed?.close()
    for (const { base } of this.#bases.values()) base.close()
    if (this.#gathering.close()) return
    this.host.clock.schedule(this.host.clock.now(), () => this.#handlers.onEvent({ type: 'closed' }))
  }

  bindUdp(options: UdpBindOptions, handlers: BaseHandlers): BaseSocket {
    return this.#muxed?.bindUdp(options, handlers) ?? this.host.bindUdp(options, handlers)
  }

  add(base: IceBase, lane: Lane): SocketId {
    const id = socketId(this.#nextSocket++)
    this.#bases.set(id, { base, lane })
    return id
  }

  addAs(connection: SocketId, base: IceBase, lane: Lane): void {
    this.#bases.set(connection, { base, lane })
  }

  remove(socket: SocketId): void {
    this.#bases.get(socket)?.base.close()
    this.#bases.delete(socket)
    if (this.#isClosed) return
    this.#agent.removeSocket(socket, this.host.clock.now())
    this.#drain()
  }

  gathered(candidate: GatheredCandidate): void {
    if (this.#isClosed) return
    this.#agent.addLocalCandidate(candidate, this.host.clock.now())
    this.#drain()
  }

  receive(socket: SocketId, bytes: Uint8Array, source: AddressWords): InputVerdict {
    if (this.#isClosed) return 'dropped'
    const verdict = this.#agent.handleDatagram(datagramOf(socket, source, bytes), this.host.clock.now())
    if (verdict === 'data') {
      const lane = this.#bases.get(socket)?.lane
      if (lane !== undefined) this.#handlers.onData(bytes, lane.stream, lane.component)
    }
    this.#drain()
    return verdict
  }

  sendFailed(socket: SocketId, destination: AddressWords, reason: string): void {
    if (this.#isClosed) return
    this.#agent.sendFailed(socket, destination, reason, this.host.clock.now())
    this.#drain()
  }

  serverFailed(url: string, reason: string): void {
    if (!this.#isClosed) this.#handlers.onEvent({ type: 'server-failed', url, reason })
  }

  bindFailed(address: TransportAddress, reason: string): void {
    if (!this.#isClosed) this.#handlers.onEvent({ type: 'bind-failed', address, reason })
  }

  progressed(): void {
    this.#gathering.progressed()
  }

  #begunAnew(): void {
    this.#muxed?.add(this.#agent.localDescription.ufrag)
    this.#gathering.again()
  }

  #gatheringChanged(state: GatheringState): void {
    if (state === 'complete') this.#endGathering()
    if (state !== 'new') this.#handlers.onEvent({ type: 'gathering', state })
  }

  #endGathering(): void {
    if (this.#options.continualGathering === true) return
    this.#agent.endOfLocalCandidates(this.host.clock.now())
    this.#drain()
  }

  /** Carries out and tells all that the agent has to say, and sets the one timer. */
  #drain(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    for (let output = this.#agent.poll(); output !== undefined; output = this.#agent.poll()) {
      this.#carryOut(output)
    }
    this.#isDraining = false
    if (!this.#isClosed) this.#alarm.set(this.#agent.pollTimeout())
  }

  #carryOut(output: IceOutput): void {
    switch (output.type) {
      case 'transmit':
        this.#bases.get(output.socket)?.base.send(output.bytes, output.destination)
        return
      case 'open-connection':
        this.#gathering.tcp.connect(output.connection, output.socket, output.local, output.remote)
        return
      case 'close-connection':
        this.#bases.get(output.connection)?.base.close()
        this.#bases.delete(output.connection)
        return
      case 'resolve-name':
        this.#resolveName(output.name)
        return
      case 'path':
        this.#pathChanged(output.path)
        break
      case 'state':
        this.#gathering.setRefreshing(isUnsettled(output.state))
        if (output.state === 'disconnected') this.#gathering.suspect()
        break
      case 'generation-retired':
      case 'restart-failed':
        this.#muxed?.removeUfrag(output.ufrag)
        break
      default:
    }
    this.#handlers.onEvent(output)
  }

  #resolveName(name: string): void {
    const settle = (addresses: readonly TransportAddress[]) => {
      if (this.#isClosed) return
      for (const address of addresses) this.#gathering.permit(address)
      this.#agent.nameResolved(name, addresses, this.host.clock.now())
      this.#drain()
    }
    if (this.#options.mdns === 'off') settle([])
    else this.#names.resolve(name, settle)
  }

  #connections(): ConnectionListener {
    const tell = (input: (now: Instant) => void) => {
      if (this.#isClosed) return
      input(this.host.clock.now())
      this.#drain()
    }
    return {
      accepted: (connection, socket) => this.#agent.connectionAccepted(connection, socket),
      opened: (connection) => tell((now) => this.#agent.connectionOpened(connection, now)),
      failed: (connection, reason) => tell((now) => this.#agent.connectionFailed(connection, reason, now)),
      closed: (connection, reason) => tell((now) => this.#agent.connectionClosed(connection, reason, now)),
    }
  }

  /** What goes through a relay for long goes through a channel. */
  #pathChanged(path: SendPath | undefined): void {
    const base = path && this.#bases.get(path.socket)?.base
    if (path !== undefined && base instanceof RelayedAddress) base.bindChannel(path.destination)
  }
}

/** The peer may still come to use any of our candidates. */
function isUnsettled(state: IceState): boolean {
  return state !== 'completed' && state !== 'failed' && state !== 'closed'
}

function lanesOf({ streams = 1, components = 1 }: IceTransportOptions): Lane[] {
  return Array.from({ length: streams * components }, (_, i) => ({
    stream: Math.floor(i / components),
    component: (i % components) + 1,
  }))
}

/** What comes to a shared port says which session it is for, and nothing of streams and components. */
function checkMux({ mux, portRange, streams = 1, components = 1 }: IceTransportOptions): void {
  if (mux === undefined) return
  if (streams * components > 1) {
    const message = `a mux carries one stream of one component, not ${streams} of ${components}: multiplex them above ICE`
    throw new TurnpikeError('configuration-invalid', message)
  }
  if (portRange !== undefined) {
    throw new TurnpikeError('configuration-invalid', 'a mux has its own port: leave out portRange')
  }
}
