/**
 * A TURN client without a socket (RFC 8656 §7–§12, RFC 8016): one allocation, kept for as long as it is wanted, over
 * UDP, TCP or TLS. It asks for its transport and is told; what it takes and gives are whole frames.
 */

import { Deadlines, type Expiring, unscheduled } from '../../core/deadlines.ts'
import { OutputQueue } from '../../core/output-queue.ts'
import type { Random } from '../../core/random.ts'
import { type Instant, later } from '../../core/time.ts'
import type { AddressWords, TransportAddress } from '../../core/transport-address.ts'
import type { Attribute } from '../../stun/attributes.ts'
import { StunClient } from '../../stun/client.ts'
import type { Rejection, StunFailure } from '../../stun/client-failure.ts'
import { packetKind } from '../../stun/demux.ts'
import { encodeMessage } from '../../stun/encode.ts'
import { decodeMessage, type Message } from '../../stun/message.ts'
import type { MethodName } from '../../stun/methods.ts'
import { allocateAttributes, readAllocation, software } from './allocate.ts'
import {
  ClientCounters,
  DataPath,
  type FrameRange,
  isDataIndication,
  isExpected,
  type PeerData,
} from './data-path.ts'
import {
  clientDefaults,
  clientLimits,
  clientTimes,
  type TurnClientOptions,
  type TurnServerAddress,
} from './options.ts'
import type { ClientAllocation, TurnClientOutput, TurnFailure } from './outputs.ts'
import { type PeerContext, PeerRequests } from './peer-requests.ts'
import type { ClientChannel, ClientPermission } from './peers.ts'
import { Redirects } from './redirects.ts'

/** `moving`: the allocation is there, and is to follow us to another address of ours. */
type State = 'idle' | 'opening' | 'allocating' | 'allocated' | 'moving' | 'closing' | 'ended'

type TimerKind = 'refresh' | 'expiry' | 'keepalive' | 'allocate-deadline' | 'close-deadline'

interface Timer extends Expiring {
  readonly kind: TimerKind
}

/** What a request was about. */
type Context = PeerContext | { readonly type: 'allocate' | 'refresh' | 'move' | 'release' }

export class TurnClient {
  readonly counters = new ClientCounters()
  readonly #options: TurnClientOptions
  readonly #random: Random
  readonly #stun: StunClient<Context>
  readonly #peerRequests: PeerRequests
  readonly #dataPath: DataPath
  readonly #redirects = new Redirects()
  readonly #deadlines = new Deadlines<Timer | ClientPermission | ClientChannel>()
  readonly #timers: Readonly<Record<TimerKind, Timer>>
  readonly #outputs = new OutputQueue<TurnClientOutput>()
  #state: State = 'idle'
  #server: TurnServerAddress
  #allocation: ClientAllocation | undefined
  #allocatedAt: Instant | undefined
  /** What takes the allocation to another address of ours (RFC 8016). */
  #ticket: Uint8Array | undefined
  #withMobility: boolean
  #portAttempts = 0
  #losses = 0
  #lastSentAt: Instant

  constructor(options: TurnClientOptions, random: Random) {
    const { transport, server, credentials } = options
    this.#options = options
    this.#random = random
    this.#server = server
    this.#withMobility = options.mobility === true
    this.#lastSentAt = 0 as Instant
    this.#timers = {
      refresh: timer('refresh'),
      expiry: timer('expiry'),
      keepalive: timer('keepalive'),
      'allocate-deadline': timer('allocate-deadline'),
      'close-deadline': timer('close-deadline'),
    }
    this.#stun = new StunClient(
      {
        server: server.address,
        isReliable: transport !== 'udp',
        timing: options.timing,
        credentials: credentials === undefined ? undefined : { type: 'long-term', ...credentials },
      },
      random,
    )
    this.#dataPath = new DataPath(transport !== 'udp', this.counters, random)
    this.#peerRequests = new PeerRequests({
      deadlines: this.#deadlines,
      random,
      ask: (method, attributes, context, now) => this.#ask(method, attributes, context, now),
      emit: (event) => this.#outputs.push(event),
    })
  }

  /** The allocation, if there is one now. */
  get allocation(): ClientAllocation | undefined {
    return this.#state === 'allocated' || this.#state === 'moving' ? this.#allocation : undefined
  }

  /** The smoothed round-trip time to the server in milliseconds; undefined while it is not known. */
  roundTripMs(now: Instant): number | undefined {
    return this.#stun.roundTripMs(now)
  }

  /** Begins. `allocated` or `failed` follows. */
  allocate(now: Instant): void {
    if (this.#state !== 'idle') return
    this.#startAllocating(now)
  }

  /** The transport that 'open-transport' asked for is there. */
  transportOpened(now: Instant): void {
    if (this.#state !== 'opening') return
    this.#lastSentAt = now
    if (this.#allocation !== undefined && this.#ticket !== undefined) {
      this.#state = 'moving'
      this.#ask('Refresh', [['MOBILITY-TICKET', this.#ticket], software], { type: 'move' }, now)
    } else {
      this.#redirects.visit(this.#server.address, now)
      this.#askForAllocation(now)
    }
    this.#drain(now)
  }

  /** The transport could not be opened, or is lost. `reason` is the system's code, such as ECONNREFUSED. */
  transportFailed(reason: string, now: Instant): void {
    const failure: TurnFailure = { type: 'transport-failed', reason }
    if (this.#state === 'idle' || this.#state === 'ended') return
    if (this.#state === 'closing') this.#end()
    else if (this.#allocation === undefined) this.#fail(failure)
    else if (this.#state === 'allocated' && this.#ticket !== undefined) this.move(now)
    else this.#lose(failure, now)
  }

  /** Our address has changed: the allocation follows, if the server has given a ticket, or another one is made. */
  move(now: Instant): void {
    if (this.#state !== 'allocated') return
    if (this.#ticket === undefined) this.#lose({ type: 'transport-failed', reason: 'ENETRESET' }, now)
    else this.#openTransport()
  }

  /** Asks for leave to exchange data with the peer, and keeps it until `forget`. Before `allocated` it is noted. */
  permit(peer: TransportAddress, now: Instant): void {
    if (this.#state === 'closing' || this.#state === 'ended') return
    this.#peerRequests.permit(peer, now)
    this.#drain(now)
  }

  /** As `permit`, with a channel: four bytes in front of each packet, and data may be sent at once. */
  bindChannel(peer: TransportAddress, now: Instant): void {
    if (this.#state === 'closing' || this.#state === 'ended') return
    this.#peerRequests.bindChannel(peer, now)
    this.#drain(now)
  }

  /** Ceases to refresh what there is for the peer. */
  forget(peer: TransportAddress): void {
    this.#peerRequests.forget(peer)
  }

  /** The frame that carries the payload to the peer, in a new array; undefined (counted) if none can. */
  wrap(peer: AddressWords, payload: Uint8Array, now: Instant): Uint8Array | undefined {
    if (this.#state !== 'allocated') return this.#drop('no-allocation')
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
    if (this.#state !== 'allocated') return this.#drop('no-allocation')
    const range = this.#dataPath.wrapInPlace(this.#peerRequests.peers, peer, buffer, start, end, now)
    if (range !== undefined) this.#lastSentAt = now
    return range
  }

  /** Takes a whole frame from the server. What a peer has sent in it is returned, and good until the next input. */
  handleDatagram(bytes: Uint8Array, source: AddressWords, now: Instant): PeerData | undefined {
    if (!this.#server.address.equals(source)) return this.#drop('wrong-source')
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
    const { expiry } = this.#timers
    if (expiry.heapIndex !== unscheduled && expiry.deadline <= now) this.#lose({ type: 'expired' }, now)
    this.#stun.handleTimeout(now)
    this.#drain(now)
    for (let due = this.#deadlines.takeDue(now); due !== undefined; due = this.#deadlines.takeDue(now)) {
      if (due.kind === 'permission' || due.kind === 'channel') this.#peerRequests.handleDue(due, now)
      else this.#handleTimer(due.kind, now)
      this.#drain(now)
    }
  }

  pollTimeout(): Instant | undefined {
    const x = this.#stun.pollTimeout()
    const y = this.#deadlines.next
    if (x === undefined) return y
    return y === undefined || x <= y ? x : y
  }

  poll(): TurnClientOutput | undefined {
    return this.#outputs.take()
  }

  /** Deletes the allocation on the server, and closes. `closed` follows, after `closeDeadlineMs` at the latest. */
  close(now: Instant): void {
    const state = this.#state
    if (state === 'closing' || state === 'ended') return
    this.#cancelTimers()
    this.#peerRequests.clear()
    if (state === 'idle' || state === 'opening') {
      this.#end()
      return
    }
    this.#state = 'closing'
    this.#schedule('close-deadline', this.#options.closeDeadlineMs ?? clientDefaults.closeDeadlineMs, now)
    // An Allocate that is on its way may be granted yet: then that is taken back. It is not made anew.
    if (state === 'allocating') {
      this.#stun.declineChallenges()
      return
    }
    this.#stun.cancelAll()
    this.#askForRelease(now)
    this.#drain(now)
  }

  #startAllocating(now: Instant): void {
    const { allocateDeadlineMs } = this.#options
    if (allocateDeadlineMs !== undefined) this.#schedule('allocate-deadline', allocateDeadlineMs, now)
    this.#portAttempts = 1
    this.#openTransport()
  }

  /** A new socket or connection; the one before it is closed first. */
  #openTransport(): void {
    if (this.#state !== 'idle') this.#outputs.push({ type: 'close-transport' })
    this.#state = 'opening'
    this.#stun.reset(this.#server.address)
    const { transport } = this.#options
    this.#outputs.push({ type: 'open-transport', transport, server: this.#server })
  }

  #askForAllocation(now: Instant): void {
    this.#state = 'allocating'
    this.#ask('Allocate', allocateAttributes(this.#options, this.#withMobility), { type: 'allocate' }, now)
  }

  #askForRelease(now: Instant): void {
    this.#ask('Refresh', [['LIFETIME', 0], software], { type: 'release' }, now)
  }

  #ask(method: MethodName, attributes: readonly Attribute[], context: Context, now: Instant): void {
    this.#stun.request({ method, attributes, context }, now)
  }

  #drain(now: Instant): void {
    for (let output = this.#stun.poll(); output !== undefined; output = this.#stun.poll()) {
      if (output.type === 'transmit') {
        this.#lastSentAt = now
        this.#outputs.push(output)
      } else if (output.type === 'answered') this.#handleAnswer(output.context, output.response, now)
      else this.#handleFailure(output.context, output.failure, now)
    }
  }

  #handleAnswer(context: Context, response: Message, now: Instant): void {
    switch (context.type) {
      case 'allocate':
        this.#allocated(response, now)
        return
      case 'refresh':
        this.#refreshed(response, now)
        return
      case 'move':
        this.#state = 'allocated'
        this.#refreshed(response, now)
        this.#outputs.push({ type: 'moved' })
        return
      case 'release':
        this.#end()
        return
      case 'permissions':
        this.#peerRequests.permissionsInstalled(context.permissions, now)
        return
      case 'channel':
        this.#peerRequests.channelBound(context.channel, now)
    }
  }

  #handleFailure(context: Context, failure: StunFailure, now: Instant): void {
    switch (context.type) {
      case 'allocate':
        if (this.#state === 'closing') this.#end()
        else if (failure.type === 'rejected') this.#handleRejection(failure, now)
        else this.#fail(failure)
        return
      case 'refresh':
      case 'move':
        this.#lose(failure, now)
        return
      case 'release':
        this.#end()
        return
      case 'permissions':
      case 'channel': {
        const doubt =
          context.type === 'channel'
            ? this.#peerRequests.channelRefused(context.channel, failure, now)
            : this.#peerRequests.permissionsRefused(context.permissions, failure, now)
        // §12.3: what the server still has of it is deleted, without waiting for the answer.
        if (doubt === 'out-of-sync') {
          this.#askForRelease(now)
          this.#drain(now)
        }
        if (doubt !== undefined) this.#lose(failure, now)
      }
    }
  }

  /** §7.3. */
  #allocated(response: Message, now: Instant): void {
    const allocation = readAllocation(response, this.#server.address)
    if (this.#state === 'closing') {
      this.#askForRelease(now)
      return
    }
    if (typeof allocation === 'string') {
      this.#askForRelease(now)
      this.#drain(now)
      this.#fail({ type: 'bad-response', problem: allocation })
      return
    }
    this.#state = 'allocated'
    this.#allocation = allocation
    this.#allocatedAt = now
    this.#ticket = response.get('MOBILITY-TICKET')?.slice()
    this.#redirects.settle()
    this.#deadlines.cancel(this.#timers['allocate-deadline'])
    this.#keepFor(allocation.lifetime, now)
    const keepaliveMs = this.#options.keepaliveMs ?? clientDefaults.keepaliveMs
    if (keepaliveMs > 0) this.#schedule('keepalive', keepaliveMs, now)
    this.#outputs.push({ type: 'allocated', allocation })
    this.#peerRequests.start(new Set(allocation.relayed.map(({ family }) => family)), now)
  }

  /** §7.4. */
  #handleRejection(rejection: Rejection, now: Instant): void {
    if (rejection.code === 300) this.#redirect(rejection, now)
    else if (rejection.code === 437 && this.#portAttempts < clientLimits.portAttempts) {
      this.#portAttempts++
      this.#openTransport()
    } else if (rejection.code === 405 && this.#withMobility) {
      this.#withMobility = false
      this.#askForAllocation(now)
    } else this.#fail(rejection)
  }

  #redirect(rejection: Rejection, now: Instant): void {
    const server = this.#redirects.follow(rejection, this.#server, now)
    if (typeof server === 'string') {
      this.#fail({ type: 'bad-redirect', problem: server })
      return
    }
    this.#server = server
    this.#openTransport()
  }

  /** §8.3. */
  #refreshed(response: Message, now: Instant): void {
    const lifetime = response.get('LIFETIME')
    this.#ticket = response.get('MOBILITY-TICKET')?.slice() ?? this.#ticket
    if (lifetime === 0) this.#lose({ type: 'expired' }, now)
    else this.#keepFor(lifetime ?? this.#allocation?.lifetime ?? 0, now)
  }

  /** The next Refresh is made at half the lifetime, so that one that fails leaves time for another allocation. */
  #keepFor(lifetime: number, now: Instant): void {
    this.#schedule('refresh', lifetime * 500, now)
    this.#schedule('expiry', lifetime * 1000, now)
  }

  #handleTimer(kind: TimerKind, now: Instant): void {
    switch (kind) {
      case 'refresh':
        this.#ask('Refresh', this.#refreshAttributes(), { type: 'refresh' }, now)
        return
      case 'expiry':
        this.#lose({ type: 'expired' }, now)
        return
      case 'keepalive':
        this.#keepAlive(now)
        return
      case 'allocate-deadline':
        this.#fail({ type: 'deadline-exceeded' })
        return
      case 'close-deadline':
        this.#end()
    }
  }

  #refreshAttributes(): Attribute[] {
    const { lifetime } = this.#options
    return lifetime === undefined ? [software] : [['LIFETIME', lifetime], software]
  }

  /** A Binding indication, which nobody answers, when nothing else has been sent for so long. */
  #keepAlive(now: Instant): void {
    const keepaliveMs = this.#options.keepaliveMs ?? clientDefaults.keepaliveMs
    const due = later(this.#lastSentAt, keepaliveMs)
    if (due > now) {
      this.#deadlines.schedule(this.#timers.keepalive, due)
      return
    }
    const bytes = encodeMessage({
      class: 'indication',
      method: 'Binding',
      transactionId: this.#random.bytes(12),
      attributes: [],
    })
    this.#lastSentAt = now
    this.#outputs.push({ type: 'transmit', destination: this.#server.address, bytes })
    this.#schedule('keepalive', keepaliveMs, now)
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

  /** The allocation is gone: the next one, from another port, unless that has happened too often. */
  #lose(failure: TurnFailure, now: Instant): void {
    if (this.#state === 'closing') {
      this.#end()
      return
    }
    const livedMs = this.#allocatedAt === undefined ? 0 : now - this.#allocatedAt
    this.#losses = livedMs >= clientTimes.steadyAfterMs ? 1 : this.#losses + 1
    this.#cancelTimers()
    this.#peerRequests.clear()
    this.#allocation = undefined
    this.#ticket = undefined
    if (this.#losses > clientLimits.reallocations) {
      this.#fail(failure)
      return
    }
    this.#outputs.push({ type: 'allocation-lost', failure })
    this.#startAllocating(now)
  }

  #fail(failure: TurnFailure): void {
    this.#finish()
    this.#outputs.push({ type: 'failed', failure })
  }

  #end(): void {
    this.#finish()
    this.#outputs.push({ type: 'closed' })
  }

  #finish(): void {
    if (this.#state !== 'idle') this.#outputs.push({ type: 'close-transport' })
    this.#state = 'ended'
    this.#allocation = undefined
    this.#cancelTimers()
    this.#peerRequests.clear()
    this.#stun.reset(this.#server.address)
  }

  #schedule(kind: TimerKind, delayMs: number, now: Instant): void {
    this.#deadlines.schedule(this.#timers[kind], later(now, delayMs))
  }

  #cancelTimers(): void {
    for (const each of Object.values(this.#timers)) this.#deadlines.cancel(each)
  }

  #drop(reason: keyof ClientCounters['drops']): undefined {
    this.counters.drops[reason]++
  }
}

function timer(kind: TimerKind): Timer {
  return { kind, deadline: 0 as Instant, heapIndex: unscheduled }
}
