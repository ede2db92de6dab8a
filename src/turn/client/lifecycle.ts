/**
 * The life of a client's allocation (RFC 8656 §7, §8, RFC 8016): made, refreshed, moved, lost and made again, deleted.
 * It asks for its transport and is told, for a refused port and a redirection both mean another one.
 */

import type { Instant } from '../../core/time.ts'
import type { Attribute } from '../../stun/attributes.ts'
import type { StunClient } from '../../stun/client.ts'
import type { Rejection, StunFailure } from '../../stun/client-failure.ts'
import type { Message } from '../../stun/message.ts'
import { allocateAttributes, readAllocation, software } from './allocate.ts'
import type { TurnFailure } from './failure.ts'
import {
  clientDefaults,
  clientLimits,
  clientTimes,
  type TurnClientOptions,
  type TurnServerAddress,
} from './options.ts'
import type { ClientAllocation, TurnClientOutput } from './outputs.ts'
import type { PeerContext } from './peer-requests.ts'
import { Redirects } from './redirects.ts'
import type { ClientTimers, TimerKind } from './timers.ts'

/** `moving`: the allocation is there, and is to follow us to another address of ours. */
export type ClientState = 'idle' | 'opening' | 'allocating' | 'allocated' | 'moving' | 'closing' | 'ended'

/** What a request about the allocation itself was for. */
export interface LifecycleContext {
  readonly type: 'allocate' | 'refresh' | 'move' | 'release'
}

export type ClientContext = LifecycleContext | PeerContext

export interface LifecycleOptions {
  readonly client: TurnClientOptions
  readonly stun: StunClient<ClientContext>
  readonly timers: ClientTimers
  emit(output: TurnClientOutput): void
  /** There is an allocation: permissions and channels can be asked for. */
  started(allocation: ClientAllocation, now: Instant): void
  /** It is taken to another transport: nothing can be asked for until `moved`. */
  moving(): void
  moved(now: Instant): void
  /** There is none any more, and with it went all permissions and channels. */
  ended(): void
  /** Hands on what has been asked for, before the transport is closed under it. */
  flush(now: Instant): void
}

export class AllocationLifecycle {
  readonly #options: LifecycleOptions
  readonly #redirects = new Redirects()
  #state: ClientState = 'idle'
  #server: TurnServerAddress
  #allocation: ClientAllocation | undefined
  #allocatedAt: Instant | undefined
  /** What takes the allocation to another address of ours (RFC 8016). */
  #ticket: Uint8Array | undefined
  #withMobility: boolean
  #portAttempts = 0
  #isVerifying = false
  #losses = 0

  constructor(options: LifecycleOptions) {
    this.#options = options
    this.#server = options.client.server
    this.#withMobility = options.client.mobility === true
  }

  get state(): ClientState {
    return this.#state
  }

  get server(): TurnServerAddress {
    return this.#server
  }

  get allocation(): ClientAllocation | undefined {
    return this.#state === 'allocated' || this.#state === 'moving' ? this.#allocation : undefined
  }

  start(now: Instant): void {
    if (this.#state === 'idle') this.#startAllocating(now)
  }

  transportOpened(now: Instant): void {
    if (this.#state !== 'opening' && this.#state !== 'closing') return
    if (this.#allocation !== undefined && this.#ticket !== undefined) {
      if (this.#state === 'opening') this.#state = 'moving'
      this.#ask('Refresh', [['MOBILITY-TICKET', this.#ticket], software], 'move', now)
    } else {
      this.#redirects.visit(this.#server.address, now)
      this.#askForAllocation(now)
    }
  }

  transportFailed(reason: string, now: Instant): void {
    if (this.#state === 'idle' || this.#state === 'ended') return
    const failure: TurnFailure = { type: 'transport-failed', reason }
    if (this.#state === 'closing') this.#end()
    else if (this.#allocation === undefined) this.#fail(failure)
    else if (this.#state === 'allocated' && this.#ticket !== undefined) this.#startMoving()
    else this.lose(failure, now)
  }

  move(now: Instant): void {
    if (this.#state !== 'allocated') return
    if (this.#ticket === undefined) this.lose({ type: 'transport-failed', reason: 'ENETRESET' }, now)
    else this.#startMoving()
  }

  /** Asks now whether the allocation is still there, as after a change of the network that is only suspected. */
  verify(now: Instant): void {
    if (this.#state !== 'allocated') return
    this.#options.timers.cancel('refresh')
    this.#isVerifying = true
    this.handleTimer('refresh', now)
  }

  close(now: Instant): void {
    const { client, stun, timers } = this.#options
    const state = this.#state
    if (state === 'closing' || state === 'ended') return
    timers.cancelAll()
    this.#options.ended()
    const isMoving = state === 'moving' || (state === 'opening' && this.#allocation !== undefined)
    if (state === 'idle' || (state === 'opening' && !isMoving)) {
      this.#end()
      return
    }
    this.#state = 'closing'
    timers.schedule('close-deadline', client.closeDeadlineMs ?? clientDefaults.closeDeadlineMs, now)
    // An Allocate that is on its way may be granted yet: then that is taken back. It is not made anew.
    if (state === 'allocating') {
      stun.declineChallenges()
      return
    }
    // From where it has moved to, the server takes a deletion only when it knows of the move.
    if (isMoving) return
    stun.cancelAll()
    this.#askForRelease(now)
  }

  handleAnswer(context: LifecycleContext, response: Message, now: Instant): void {
    switch (context.type) {
      case 'allocate':
        this.#allocated(response, now)
        return
      case 'refresh':
        this.#refreshed(response, now)
        return
      case 'move':
        if (this.#state === 'closing') {
          this.#askForRelease(now)
          return
        }
        this.#state = 'allocated'
        this.#options.emit({ type: 'moved' })
        this.#options.moved(now)
        this.#refreshed(response, now)
        return
      case 'release':
        this.#end()
    }
  }

  handleFailure(context: LifecycleContext, failure: StunFailure, now: Instant): void {
    switch (context.type) {
      case 'allocate':
        if (this.#state === 'closing') this.#end()
        else if (failure.type === 'rejected') this.#handleRejection(failure, now)
        else this.#fail(failure)
        return
      case 'refresh':
        // A NAT has moved us: where we come from now, the server knows of no allocation (RFC 8016 §3.2).
        if (failure.type === 'rejected' && failure.code === 437 && this.#ticket !== undefined) {
          this.#startMoving()
          return
        }
        this.lose(failure, now)
        return
      case 'move':
        this.lose(failure, now)
        return
      // §8.3: 437 means that it is gone already; after any other failure it expires.
      case 'release':
        this.#end()
    }
  }

  handleTimer(kind: Exclude<TimerKind, 'keepalive'>, now: Instant): void {
    switch (kind) {
      case 'refresh':
        this.#ask('Refresh', this.#refreshAttributes(), 'refresh', now)
        return
      case 'expiry':
        this.lose({ type: 'expired' }, now)
        return
      case 'allocate-deadline':
        this.#fail({ type: 'deadline-exceeded' })
        return
      case 'close-deadline':
        this.#end()
    }
  }

  /** Deletes what the server has of the allocation, without waiting for the answer, and makes another one. */
  startAfresh(failure: TurnFailure, now: Instant): void {
    this.#askForRelease(now)
    this.#options.flush(now)
    this.lose(failure, now)
  }

  /** The allocation is gone: the next one, from another port, unless that has happened too often. */
  lose(failure: TurnFailure, now: Instant): void {
    if (this.#state === 'closing') {
      this.#end()
      return
    }
    const livedMs = this.#allocatedAt === undefined ? 0 : now - this.#allocatedAt
    this.#losses = livedMs >= clientTimes.steadyAfterMs ? 1 : this.#losses + 1
    if (this.#losses > clientLimits.reallocations) {
      this.#fail(failure)
      return
    }
    this.#isVerifying = false
    this.#forget()
    this.#options.emit({ type: 'allocation-lost', failure })
    this.#startAllocating(now)
  }

  #startAllocating(now: Instant): void {
    const { allocateDeadlineMs } = this.#options.client
    if (allocateDeadlineMs !== undefined) {
      this.#options.timers.schedule('allocate-deadline', allocateDeadlineMs, now)
    }
    this.#portAttempts = 1
    this.#openTransport()
  }

  #startMoving(): void {
    this.#options.timers.cancel('refresh')
    this.#options.timers.cancel('keepalive')
    this.#options.moving()
    this.#openTransport()
  }

  /** A new socket or connection; the one before it is closed first. */
  #openTransport(): void {
    const { client, stun, emit } = this.#options
    if (this.#state !== 'idle') emit({ type: 'close-transport' })
    this.#state = 'opening'
    stun.reset(this.#server.address)
    emit({ type: 'open-transport', transport: client.transport, server: this.#server })
  }

  #askForAllocation(now: Instant): void {
    this.#state = 'allocating'
    this.#ask('Allocate', allocateAttributes(this.#options.client, this.#withMobility), 'allocate', now)
  }

  #askForRelease(now: Instant): void {
    this.#ask('Refresh', [['LIFETIME', 0], software], 'release', now)
  }

  #ask(
    method: 'Allocate' | 'Refresh',
    attributes: readonly Attribute[],
    type: LifecycleContext['type'],
    now: Instant,
  ): void {
    this.#options.stun.request({ method, attributes, context: { type } }, now)
  }

  /** §7.3. */
  #allocated(response: Message, now: Instant): void {
    if (this.#state === 'closing') {
      this.#askForRelease(now)
      return
    }
    const allocation = readAllocation(response, this.#server.address)
    if (typeof allocation === 'string') {
      this.#askForRelease(now)
      this.#options.flush(now)
      this.#fail({ type: 'bad-response', problem: allocation })
      return
    }
    this.#state = 'allocated'
    this.#allocation = allocation
    this.#allocatedAt = now
    this.#ticket = response.get('MOBILITY-TICKET')?.slice()
    this.#redirects.settle()
    this.#options.timers.cancel('allocate-deadline')
    this.#keepFor(allocation.lifetime, now)
    this.#options.emit({ type: 'allocated', allocation })
    this.#options.started(allocation, now)
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

  #refreshAttributes(): Attribute[] {
    const { lifetime } = this.#options.client
    return lifetime === undefined ? [software] : [['LIFETIME', lifetime], software]
  }

  /** §8.3. */
  #refreshed(response: Message, now: Instant): void {
    const lifetime = response.get('LIFETIME')
    this.#ticket = response.get('MOBILITY-TICKET')?.slice() ?? this.#ticket
    if (lifetime === 0) {
      this.lose({ type: 'expired' }, now)
      return
    }
    this.#keepFor(lifetime ?? this.#allocation?.lifetime ?? 0, now)
    if (this.#isVerifying) this.#options.emit({ type: 'verified' })
    this.#isVerifying = false
  }

  /** The next Refresh is made at half the lifetime, so that one that fails leaves time for another allocation. */
  #keepFor(lifetime: number, now: Instant): void {
    this.#options.timers.schedule('refresh', lifetime * 500, now)
    this.#options.timers.schedule('expiry', lifetime * 1000, now)
  }

  #fail(failure: TurnFailure): void {
    this.#finish()
    this.#options.emit({ type: 'failed', failure })
  }

  #end(): void {
    this.#finish()
    this.#options.emit({ type: 'closed' })
  }

  #finish(): void {
    if (this.#state !== 'idle') this.#options.emit({ type: 'close-transport' })
    this.#state = 'ended'
    this.#forget()
    this.#options.stun.reset(this.#server.address)
  }

  #forget(): void {
    this.#options.timers.cancelAll()
    this.#options.ended()
    this.#allocation = undefined
    this.#ticket = undefined
  }
}
