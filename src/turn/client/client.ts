/**
 * A TURN client without a socket (RFC 8656 §7–§12, RFC 8016): one allocation, kept for as long as it is wanted, over
 * UDP, TCP or TLS. It asks for its transport and is told; what it takes and gives are whole frames.
 */

import { OutputQueue } from '../../core/output-queue.ts'
import type { Random } from '../../core/random.ts'
import { earliest, type Instant, instant, later } from '../../core/time.ts'
import type { AddressWords, TransportAddress } from '../../core/transport-address.ts'
import { StunClient } from '../../stun/client.ts'
import type { StunFailure } from '../../stun/client-failure.ts'
import { packetKind } from '../../stun/demux.ts'
import { encodeMessage } from '../../stun/encode.ts'
import { decodeMessage, type Message } from '../../stun/message.ts'
import {
  ClientCounters,
  DataPath,
  type FrameRange,
  isDataIndication,
  isExpected,
  type PeerData,
} from './data-path.ts'
import { AllocationLifecycle, type ClientContext } from './lifecycle.ts'
import { clientDefaults, type TurnClientOptions } from './options.ts'
import type { ClientAllocation, TurnClientOutput } from './outputs.ts'
import { type PeerContext, PeerRequests } from './peer-requests.ts'
import { ClientTimers } from './timers.ts'

export class TurnClient {
  readonly counters = new ClientCounters()
  readonly #random: Random
  readonly #keepaliveMs: number
  readonly #stun: StunClient<ClientContext>
  readonly #lifecycle: AllocationLifecycle
  readonly #peerRequests: PeerRequests
  readonly #dataPath: DataPath
  readonly #timers = new ClientTimers()
  readonly #outputs = new OutputQueue<TurnClientOutput>()
  #lastSentAt = instant(0)

  constructor(options: TurnClientOptions, random: Random) {
    const { transport, server, credentials, timing } = options
    const isReliable = transport !== 'udp'
    this.#random = random
    this.#keepaliveMs = options.keepaliveMs ?? clientDefaults.keepaliveMs
    this.#stun = new StunClient(
      {
        server: server.address,
        isReliable,
        timing,
        credentials: credentials === undefined ? undefined : { type: 'long-term', ...credentials },
      },
      random,
    )
    this.#dataPath = new DataPath(isReliable, this.counters, random)
    this.#peerRequests = new PeerRequests({
      deadlines: this.#timers.deadlines,
      random,
      ask: (method, attributes, context, now) => this.#stun.request({ method, attributes, context }, now),
      emit: (event) => this.#outputs.push(event),
    })
    this.#lifecycle = new AllocationLifecycle({
      client: options,
      stun: this.#stun,
      timers: this.#timers,
      emit: (output) => this.#outputs.push(output),
      started: (allocation, now) => this.#start(allocation, now),
      moving: () => this.#peerRequests.pause(),
      moved: (now) => this.#resume(now),
      ended: () => this.#peerRequests.clear(),
      flush: (now) => this.#drain(now),
    })
  }

  /** The allocation, if there is one now. */
  get allocation(): ClientAllocation | undefined {
    return this.#lifecycle.allocation
  }

  /** The smoothed round-trip time to the server in milliseconds; undefined while it is not known. */
  roundTripMs(now: Instant): number | undefined {
    return this.#stun.roundTripMs(now)
  }

  /** Begins. `allocated` or `failed` follows. */
  allocate(now: Instant): void {
    this.#lifecycle.start(now)
  }

  /** The transport that 'open-transport' asked for is there. */
  transportOpened(now: Instant): void {
    this.#lifecycle.transportOpened(now)
    this.#drain(now)
  }

  /** The transport could not be opened, or is lost. `reason` is the system's code, such as ECONNREFUSED. */
  transportFailed(reason: string, now: Instant): void {
    this.#lifecycle.transportFailed(reason, now)
    this.#drain(now)
  }

  /** Our address has changed: the allocation follows, if the server has given a ticket, or another one is made. */
  move(now: Instant): void {
    this.#lifecycle.move(now)
  }

  /** Asks the server at once whether the allocation is still there: what comes of it are events. */
  verify(now: Instant): void {
    this.#lifecycle.verify(now)
    this.#drain(now)
  }

  /** Asks for leave to exchange data with the peer, and keeps it until `forget`. Before `allocated` it is noted. */
  permit(peer: TransportAddress, now: Instant): void {
    if (this.#isOver) return
    this.#peerRequests.permit(peer, now)
    this.#drain(now)
  }

  /** As `permit`, with a channel: four bytes in front of each packet, and data may be sent at once. */
  bindChannel(peer: TransportAddress, now: Instant): void {
    if (this.#isOver) return
    this.#peerRequests.bindChannel(peer, now)
    this.#drain(now)
  }

  /** Ceases to refresh what there is for the peer. */
  forget(peer: TransportAddress): void {
    this.#peerRequests.forget(peer)
  }

  /** The frame that carries the payload to the peer, in a new array; undefined (counted) if none can. */
  wrap(peer: AddressWords, payload: Uint8Array, now: Instant): Uint8Array | undefined {
    if (this.#lifecycle.state !== 'allocated') return this.#drop('no-allocation')
    const frame = this.#dataPath.wrap(this.#peerRequests.peers, peer, payload, now)
    if (frame !== undefined) this.#lastSentAt = now
    return frame
  }

  /**
   * As `wrap`, without a copy: the payload stands in `buffer` from `start` to `end`, with `wrapHeadroom` bytes before
   * it and `wrapTailroom` behind it that may be written to. The range to transmit is good until the next call.
   */
  wrapInPlace(
    peer: AddressWords,
    buffer: Uint8Array,
    start: number,
    end: number,
    now: Instant,
  ): FrameRange | undefined {
    if (this.#lifecycle.state !== 'allocated') return this.#drop('no-allocation')
    const range = this.#dataPath.wrapInPlace(this.#peerRequests.peers, peer, buffer, start, end, now)
    if (range !== undefined) this.#lastSentAt = now
    return range
  }

  /** Takes a whole frame from the server. What a peer has sent in it is returned, and good until the next input. */
  handleDatagram(bytes: Uint8Array, source: AddressWords, now: Instant): PeerData | undefined {
    if (!this.#lifecycle.server.address.equals(source)) return this.#drop('wrong-source')
    const kind = packetKind(bytes[0])
    if (kind === 'channel-data') {
      if (this.allocation === undefined) return this.#drop('no-allocation')
      return this.#dataPath.fromChannel(this.#peerRequests.peers, bytes)
    }
    if (kind !== 'stun') return this.#drop('unexpected-message')
    if (isDataIndication(bytes)) return this.#handleDataIndication(bytes)
    if (!this.#stun.handleDatagram(bytes, source, now)) return this.#drop('unexpected-message')
    this.#drain(now)
    return undefined
  }

  handleTimeout(now: Instant): void {
    // After a long sleep all is due at once: nothing is to be sent any more for what has expired.
    if (this.#timers.isDue('expiry', now)) this.#lifecycle.lose({ type: 'expired' }, now)
    this.#stun.handleTimeout(now)
    this.#drain(now)
    const { deadlines } = this.#timers
    for (let due = deadlines.takeDue(now); due !== undefined; due = deadlines.takeDue(now)) {
      if (due.kind === 'permission' || due.kind === 'channel') this.#peerRequests.handleDue(due, now)
      else if (due.kind === 'keepalive') this.#keepAlive(now)
      else this.#lifecycle.handleTimer(due.kind, now)
      this.#drain(now)
    }
  }

  pollTimeout(): Instant | undefined {
    return earliest(this.#stun.pollTimeout(), this.#timers.deadlines.next)
  }

  poll(): TurnClientOutput | undefined {
    return this.#outputs.take()
  }

  /** Deletes the allocation on the server, and closes. `closed` follows, after `closeDeadlineMs` at the latest. */
  close(now: Instant): void {
    this.#lifecycle.close(now)
    this.#drain(now)
  }

  get #isOver(): boolean {
    return this.#lifecycle.state === 'closing' || this.#lifecycle.state === 'ended'
  }

  #start(allocation: ClientAllocation, now: Instant): void {
    if (this.#keepaliveMs > 0) this.#timers.schedule('keepalive', this.#keepaliveMs, now)
    this.#peerRequests.start(new Set(allocation.relayed.map(({ family }) => family)), now)
  }

  #resume(now: Instant): void {
    if (this.#keepaliveMs > 0) this.#timers.schedule('keepalive', this.#keepaliveMs, now)
    this.#peerRequests.resume(now)
  }

  /** Hands on what the STUN client says: messages to the driver, answers to who has asked. */
  #drain(now: Instant): void {
    for (let output = this.#stun.poll(); output !== undefined; output = this.#stun.poll()) {
      if (output.type === 'transmit') {
        this.#lastSentAt = now
        this.#outputs.push(output)
      } else if (output.type === 'answered') this.#handleAnswer(output.context, output.response, now)
      else this.#handleFailure(output.context, output.failure, now)
    }
  }

  #handleAnswer(context: ClientContext, response: Message, now: Instant): void {
    if (context.type === 'permissions') {
      this.#peerRequests.permissionsInstalled(context.permissions, now)
    } else if (context.type === 'channel') this.#peerRequests.channelBound(context.channel, now)
    else this.#lifecycle.handleAnswer(context, response, now)
  }

  #handleFailure(context: ClientContext, failure: StunFailure, now: Instant): void {
    if (context.type === 'permissions' || context.type === 'channel') {
      this.#handlePeerFailure(context, failure, now)
    } else this.#lifecycle.handleFailure(context, failure, now)
  }

  /** A refusal concerns one peer, unless it shows that the allocation is not what we think (§5, §12.3). */
  #handlePeerFailure(context: PeerContext, failure: StunFailure, now: Instant): void {
    const doubt =
      context.type === 'channel'
        ? this.#peerRequests.channelRefused(context.channel, failure, now)
        : this.#peerRequests.permissionsRefused(context.permissions, failure, now)
    if (doubt === 'gone') this.#lifecycle.lose(failure, now)
    else if (doubt === 'out-of-sync') this.#lifecycle.startAfresh(failure, now)
  }

  /** A Binding indication, which nobody answers, when nothing else has been sent for so long. */
  #keepAlive(now: Instant): void {
    // Compared as instants: of a rest in fractions of a millisecond nothing may be left when it is added to the time.
    const dueAt = later(this.#lastSentAt, this.#keepaliveMs)
    if (dueAt > now) {
      this.#timers.schedule('keepalive', dueAt - now, now)
      return
    }
    const bytes = encodeMessage({
      class: 'indication',
      method: 'Binding',
      transactionId: this.#random.bytes(12),
      attributes: [],
    })
    this.#lastSentAt = now
    this.#outputs.push({ type: 'transmit', destination: this.#lifecycle.server.address, bytes })
    this.#timers.schedule('keepalive', this.#keepaliveMs, now)
  }

  #handleDataIndication(bytes: Uint8Array): PeerData | undefined {
    if (this.allocation === undefined) return this.#drop('no-allocation')
    const { peers } = this.#peerRequests
    const data = this.#dataPath.fromIndication(peers, bytes)
    if (data !== 'no-data') return data
    const message = decodeMessage(bytes)
    const icmp = typeof message === 'string' ? undefined : message.get('ICMP')
    if (typeof message === 'string' || icmp === undefined) return this.#drop('malformed')
    const peer = message.get('XOR-PEER-ADDRESS')
    if (peer === undefined) return this.#drop('malformed')
    if (!isExpected(peers, peer)) return this.#drop('unexpected-peer')
    this.#outputs.push({ type: 'peer-unreachable', peer, icmp })
    return undefined
  }

  #drop(reason: keyof ClientCounters['drops']): undefined {
    this.counters.drops[reason]++
  }
}
