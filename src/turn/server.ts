/**
 * A STUN and TURN server without a socket (RFC 8489 §6, RFC 8656): datagrams and the world's answers in; a
 * route for data, and one ordered queue of outputs for everything else.
 */

import { unreachable } from '../core/errors.ts'
import { OutputQueue } from '../core/output-queue.ts'
import type { Random } from '../core/random.ts'
import { type Core, type Datagram, datagramBytes, type SocketId } from '../core/sans-io.ts'
import type { Instant } from '../core/time.ts'
import { type AddressWords, TransportAddress } from '../core/transport-address.ts'
import { packetKind } from '../stun/demux.ts'
import { checkFingerprint } from '../stun/integrity.ts'
import { decodeMessage } from '../stun/message.ts'
import type { AllocationRecord } from './allocation.ts'
import type { AlternateServer } from './alternate-server.ts'
import { BehaviorDiscovery } from './behavior-discovery.ts'
import { type DropReason, ServerCounters } from './counters.ts'
import type { Credential } from './credential.ts'
import { endAllocation, endReservation } from './ending.ts'
import { type Holdings, holdingsOf } from './holdings.ts'
import { IcmpRelaying } from './icmp.ts'
import { BindingMethod } from './methods/binding.ts'
import type { TurnServerOptions } from './options.ts'
import type { ServerOutput } from './outputs.ts'
import type { PartnerRequest } from './partner/datagram.ts'
import { Partners } from './partner/partners.ts'
import type { ConnectionId } from './peer-connection.ts'
import type { QuotaDecision } from './quota-claims.ts'
import { Relaying } from './relaying.ts'
import type { ServerState } from './request.ts'
import { Requests } from './requests.ts'
import type { Route } from './route.ts'
import { isSendIndication } from './send-indication.ts'
import { createState } from './server-state.ts'
import { type ClientTransport, firstRelaySocket, isRelaySocket, isStreamSocket } from './socket-numbers.ts'
import { TcpRelaying } from './tcp-relaying.ts'
import type { FetchAnswer, TransferKey } from './transfer-items.ts'

export class TurnServer implements Core<ServerOutput> {
  readonly counters = new ServerCounters()
  readonly #state: ServerState
  readonly #requests: Requests
  readonly #relaying: Relaying
  readonly #behavior: BehaviorDiscovery
  readonly #partners: Partners
  readonly #binding: BindingMethod
  readonly #icmp: IcmpRelaying
  readonly #tcp: TcpRelaying
  readonly #outputs = new OutputQueue<ServerOutput>()

  constructor(options: TurnServerOptions, random: Random) {
    this.#state = createState(options, this.#outputs, this.counters, random)
    const partners = options.partners ?? []
    this.#behavior = new BehaviorDiscovery(options.alternateAddresses ?? [], partners)
    this.#partners = new Partners(partners, this.#state, this.#behavior)
    this.#binding = new BindingMethod(this.#state, this.#behavior, this.#partners)
    this.#requests = new Requests(this.#state, random)
    this.#relaying = new Relaying(this.#state, random)
    this.#icmp = new IcmpRelaying(this.#state, random)
    this.#tcp = new TcpRelaying(this.#state)
  }

  /** Tells of a listening socket. Its address is never a peer, and never a client. */
  addListener(socket: SocketId, local: TransportAddress, transport: ClientTransport = 'udp'): void {
    if (socket >= firstRelaySocket)
      throw new RangeError(`listening sockets are numbered below ${firstRelaySocket}`)
    this.#state.peers.addListening(local)
    if (transport === 'udp') this.#state.udpListeners.add(socket)
    this.#behavior.listening(socket, local, transport)
  }

  /** A client has connected by TCP or TLS to our address `local`: from here on its messages arrive on this socket. */
  streamOpened(socket: SocketId, transport: Exclude<ClientTransport, 'udp'>, local: TransportAddress): void {
    if (!isStreamSocket(socket)) throw new RangeError(`not the number of a stream: ${socket}`)
    this.#state.transports.set(socket, transport)
    this.#behavior.streamOpened(socket, local, transport)
  }

  /** The connection is gone, and with it its allocation, at once, unless that is a mobile one. */
  streamClosed(socket: SocketId, client: AddressWords): void {
    this.#state.transports.delete(socket)
    this.#tcp.streamClosed(socket)
    this.#behavior.streamClosed(socket)
    this.#requests.streamClosed(socket)
    const allocation = this.#state.allocations.findByClient(socket, client)
    if (allocation === undefined) return
    const { mobility } = allocation
    if (mobility === undefined) endAllocation(this.#state, allocation, 'disconnected')
    else this.#state.mobile?.disconnected(allocation, mobility, socket, client)
  }

  /** From now on new allocations are made there, in turns, and not here; here again if there are none. */
  redirectTo(alternates: readonly AlternateServer[]): void {
    this.#requests.redirectTo(alternates)
  }

  /** Whether there is an allocation on that five-tuple, or one is being made. */
  hasAllocation(socket: SocketId, client: AddressWords): boolean {
    return this.#state.allocations.findByClient(socket, client) !== undefined
  }

  /**
   * Takes a datagram from a client (a message, if it comes by a stream) or, on a relay socket, from a peer. The route
   * says what to forward, and is good until the next input; undefined when there is nothing to forward. Outputs may
   * have come up besides.
   */
  handleDatagram(datagram: Datagram, now: Instant): Route | undefined {
    if (isRelaySocket(datagram.socket)) return this.#relaying.fromPeer(datagram, now)
    const { bytes, start, end } = datagram
    const first = start < end ? bytes[start] : undefined
    const kind = packetKind(first)
    if (kind === 'channel-data') return this.#relaying.fromChannel(datagram, now)
    if (kind === 'stun') return this.#handleMessage(datagram, now)
    if (this.#partners.takes(datagram, now)) return undefined
    // Interop: turnutils_uclient before 4.17 binds channels that RFC 7983 leaves to others.
    if (this.#isLegacyChannel(first)) return this.#relaying.fromChannel(datagram, now)
    return this.#drop('not-stun')
  }

  /** The connection that 'connect-peer' asked for is there. */
  peerConnected(connection: ConnectionId, now: Instant): void {
    this.#tcp.connected(connection, now)
  }

  /** It could not be made, or not in time. */
  peerFailed(connection: ConnectionId): void {
    this.#tcp.failed(connection)
  }

  /**
   * A peer has connected to the relay socket. The number under which to keep it, unread, until 'bind-peer' or
   * 'close-peer' says what becomes of it; undefined to close it at once.
   */
  peerAccepted(socket: SocketId, peer: AddressWords, now: Instant): ConnectionId | undefined {
    return this.#tcp.accepted(socket, peer, now)
  }

  /** The connection is over, or the client's that was joined with it. */
  peerClosed(connection: ConnectionId): void {
    this.#tcp.closed(connection)
  }

  /** So many bytes have gone through the connection. How many milliseconds to read no more from there, or 0. */
  peerData(connection: ConnectionId, fromClient: number, toClient: number, now: Instant): number {
    return this.#tcp.carried(connection, fromClient, toClient, now)
  }

  /** The socket that 'bind-relay' or 'listen-relay' asked for is bound. */
  relayBound(socket: SocketId, now: Instant): void {
    this.#requests.allocate.bound(socket, now)
  }

  /** The socket could not be bound. `reason` is the system's code, such as EADDRINUSE. */
  relayFailed(socket: SocketId, reason: string, now: Instant): void {
    this.#requests.allocate.failed(socket, reason, now)
  }

  /**
   * An ICMP error about a datagram that has left a relay socket for `peer`, whose port is 0 where it is not known
   * (RFC 8656 §11.5). `data` is the next hop's MTU for those that carry one.
   */
  handleIcmp(
    socket: SocketId,
    peer: AddressWords,
    type: number,
    code: number,
    data: number,
    now: Instant,
  ): void {
    this.#icmp.handle(socket, peer, { type, code, data }, now)
  }

  /** Who 'authorize' asked for has these credentials, any of which will do; none is "no such user". */
  authorized(id: number, credentials: readonly Credential[], now: Instant): void {
    this.#requests.authorized(id, credentials, now)
  }

  /** What 'claim-quota' asked for is decided; `userId` and `count` are as they were asked for. */
  quotaDecided(claim: number, userId: string, count: number, decision: QuotaDecision, now: Instant): void {
    this.#state.quotas.decided(claim, userId, count, decision, now)
  }

  /** The answer to a 'fetch'. */
  fetched(id: number, answer: FetchAnswer, now: Instant): void {
    this.#state.transfers?.fetched(id, answer, now)
  }

  /** The partner of that link is there, with its two addresses for clients; undefined: it is not. */
  setPartner(link: number, addresses: readonly TransportAddress[] | undefined): void {
    this.#behavior.setPartner(link, addresses)
  }

  setPartnerKeys(keys: readonly Uint8Array[]): void {
    this.#partners.setKeys(keys)
  }

  /** Sends what is the link's, from the first or second of its ports. */
  sendToPartner(link: number, lane: number, bytes: Uint8Array): void {
    this.#partners.send(link, lane, bytes)
  }

  /** Answers a client of the partner's, under the limit of answers that its own requests have here. */
  answerForPartner(link: number, request: PartnerRequest, now: Instant): void {
    const admits = (socket: SocketId) => this.#requests.admits(socket, request.client, now)
    this.#partners.answer(link, request, admits)
  }

  /** What another engine asks for ('fetch') is handed over, if it is here: from now on it is that engine's. */
  give(key: TransferKey, engine: number, now: Instant): FetchAnswer {
    return this.#state.transfers?.give(key, engine, now)
  }

  /** Every allocation that relays. */
  allocations(): readonly AllocationRecord[] {
    return this.#state.allocations.all().filter(({ state }) => state === 'active')
  }

  /** From now on no new allocation is made here: it is refused (508), unless clients are sent elsewhere. */
  retire(): void {
    this.#requests.retire()
  }

  /** How much of everything there is at the moment. */
  get holdings(): Holdings {
    return holdingsOf(this.#state)
  }

  handleTimeout(now: Instant): void {
    this.#requests.handleTimeout(now)
  }

  pollTimeout(): Instant | undefined {
    return this.#state.deadlines.next
  }

  poll(): ServerOutput | undefined {
    return this.#outputs.take()
  }

  /** Ends every allocation and reservation, as a server does that stops. */
  closeAll(): void {
    for (const allocation of this.#state.allocations.all()) endAllocation(this.#state, allocation, 'shutdown')
    for (const reservation of this.#state.reservations.all()) endReservation(this.#state, reservation)
  }

  #handleMessage(datagram: Datagram, now: Instant): Route | undefined {
    if (isSendIndication(datagram.bytes, datagram.start, datagram.end)) {
      return this.#relaying.fromSend(datagram, now)
    }
    const message = decodeMessage(datagramBytes(datagram))
    // What is not one well-framed message is dropped, never answered (RFC 8489 §6.3).
    if (typeof message === 'string') return this.#drop('bad-message')
    if (message.fingerprintOffset >= 0 && !checkFingerprint(message)) return this.#drop('bad-fingerprint')
    // An answer there would go nowhere, or round in a circle (RFC 8656 §21.1.7).
    const { source } = datagram
    if (source.port === 0 || this.#state.peers.isListening(source)) return this.#drop('bad-source')
    const method = message.method
    // A client keeps the NATs on its way awake (RFC 8445 §11); that takes no answer.
    if (message.class === 'indication' && method === 'Binding') return undefined
    // Answers are never answered, nor is what we do not know (RFC 8489 §6.3).
    if (message.class !== 'request' || method === undefined) return this.#drop('unexpected-message')
    switch (method) {
      case 'Binding':
        if (this.#requests.admits(datagram.socket, source, now)) {
          this.#binding.handle(message, datagram.socket, TransportAddress.from(source), now)
        }
        return undefined
      case 'Allocate':
      case 'Refresh':
      case 'CreatePermission':
      case 'ChannelBind':
        this.#requests.handle(message, method, datagram, now)
        return undefined
      case 'Connect':
      case 'ConnectionBind':
        if (this.#state.options.tcpRelay !== true) return this.#drop('unexpected-message')
        this.#requests.handle(message, method, datagram, now)
        return undefined
      case 'Send':
      case 'Data':
      case 'ConnectionAttempt':
        return this.#drop('unexpected-message')
      default:
        return unreachable(method)
    }
  }

  #isLegacyChannel(first = 0): boolean {
    return this.#state.options.allowLegacyChannels === true && first >= 0x50 && first <= 0x7f
  }

  #drop(reason: DropReason): undefined {
    this.counters.drops[reason]++
  }
}
