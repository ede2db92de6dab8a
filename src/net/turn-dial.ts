/**
 * From a `turn:` or `turns:` URI to an allocation: finds the servers, tries them in order with a head start for each
 * (RFC 8656 §3.9, RFC 8305 §5), and goes on with the first that allocates. One that is silent delays, and no more.
 */

import type { Host } from '../core/host.ts'
import { later } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { ServerUri } from '../stun/uri.ts'
import type { AvoidedServers } from '../turn/client/avoided-servers.ts'
import { ClientCounters } from '../turn/client/data-path.ts'
import type { TurnFailure } from '../turn/client/failure.ts'
import type { ClientAllocation, TurnClientEvent } from '../turn/client/outputs.ts'
import type { ClientTransport } from '../turn/socket-numbers.ts'
import { type ResolvedServer, type ResolveServerOptions, resolveServer } from './resolve-server.ts'
import {
  openTurn,
  type TurnConnection,
  type TurnConnectionHandlers,
  type TurnConnectionOptions,
} from './turn-connection.ts'

export interface TurnDialOptions
  extends Omit<TurnConnectionOptions, 'transport' | 'server' | 'allocateDeadlineMs'>,
    ResolveServerOptions {
  readonly uri: ServerUri
  /** Servers that have refused, which are passed over for as long as RFC 8656 §7.4 says; of one user's dials. */
  readonly avoided?: AvoidedServers | undefined
  /** For each server, from the first step to the allocation; 10 s unless given. */
  readonly serverDeadlineMs?: number | undefined
}

const defaultServerDeadlineMs = 10_000

/** RFC 8305 §5: the Connection Attempt Delay, before another address is tried beside the first. */
const addressHeadStartMs = 250
/** Another transport costs more than another address, and is worth waiting one retransmission for. */
const transportHeadStartMs = 1000

/** As `openTurn`. What is permitted before an allocation is there is passed on to the one that comes. */
export function dialTurn(
  host: Host,
  options: TurnDialOptions,
  handlers: TurnConnectionHandlers,
): TurnConnection {
  return new Dial(host, options, handlers)
}

/** `permit` or `bindChannel`, to be done when there is an allocation. */
type Wish = (connection: TurnConnection) => void

class Dial implements TurnConnection {
  readonly #host: Host
  readonly #options: TurnDialOptions
  readonly #handlers: TurnConnectionHandlers
  readonly #attempts = new Set<TurnConnection>()
  readonly #wishes = new Map<string, Wish>()
  readonly #noCounters = new ClientCounters()
  #waiting: readonly ResolvedServer[] = []
  #winner: TurnConnection | undefined
  #failure: TurnFailure | undefined
  #cancelResolution: () => void
  #cancelHeadStart: () => void = () => {}
  #isClosing = false
  #isOver = false

  constructor(host: Host, options: TurnDialOptions, handlers: TurnConnectionHandlers) {
    this.#host = host
    this.#options = options
    this.#handlers = handlers
    this.#cancelResolution = resolveServer(host, options.uri, options, (result) => {
      if (result.type === 'failed') {
        this.#finish({ type: 'failed', failure: { type: 'transport-failed', reason: result.reason } })
        return
      }
      this.#waiting = this.#withoutAvoided(result.servers)
      if (this.#waiting.length > 0) this.#tryNext()
      else this.#finish({ type: 'failed', failure: this.#failure! })
    })
  }

  get allocation(): ClientAllocation | undefined {
    return this.#winner?.allocation
  }

  get counters(): ClientCounters {
    return this.#winner?.counters ?? this.#noCounters
  }

  get transport(): ClientTransport | undefined {
    return this.#winner?.transport
  }

  get local(): TransportAddress | undefined {
    return this.#winner?.local
  }

  roundTripMs(): number | undefined {
    return this.#winner?.roundTripMs()
  }

  permit(peer: TransportAddress): void {
    this.#wish(`permission ${peer}`, (connection) => connection.permit(peer))
  }

  bindChannel(peer: TransportAddress): void {
    this.#wish(`channel ${peer}`, (connection) => connection.bindChannel(peer))
  }

  forget(peer: TransportAddress): void {
    this.#wishes.delete(`permission ${peer}`)
    this.#wishes.delete(`channel ${peer}`)
    this.#winner?.forget(peer)
  }

  send(payload: Uint8Array, peer: AddressWords): boolean {
    return this.#winner?.send(payload, peer) === true
  }

  move(): void {
    this.#winner?.move()
  }

  verify(): void {
    this.#winner?.verify()
  }

  close(): void {
    if (this.#isOver || this.#isClosing) return
    this.#isClosing = true
    if (this.#winner !== undefined) {
      this.#winner.close()
      return
    }
    this.#stopTrying()
    this.#cancelResolution = this.#host.clock.schedule(this.#host.clock.now(), () => this.#endIfIdle())
    for (const attempt of this.#attempts) attempt.close()
  }

  destroy(): void {
    this.#isOver = true
    this.#stopTrying()
    for (const attempt of this.#attempts) attempt.destroy()
    this.#attempts.clear()
    this.#winner?.destroy()
  }

  #wish(key: string, wish: Wish): void {
    if (this.#winner === undefined) this.#wishes.set(key, wish)
    else wish(this.#winner)
  }

  #stopTrying(): void {
    this.#cancelResolution()
    this.#cancelHeadStart()
    this.#waiting = []
  }

  /** Not those that have asked to be left alone; if that is all of them, what the last one said is the failure. */
  #withoutAvoided(servers: readonly ResolvedServer[]): readonly ResolvedServer[] {
    return servers.filter(({ address }) => {
      const failure = this.#options.avoided?.find(address, this.#host.clock.now())
      this.#failure = failure ?? this.#failure
      return failure === undefined
    })
  }

  /** Starts with the next server, and lets it have its head start over the one after it. */
  #tryNext(): void {
    this.#cancelHeadStart()
    const [server, next] = this.#waiting
    if (server === undefined) return
    this.#waiting = this.#waiting.slice(1)
    this.#try(server)
    if (next === undefined) return
    const { clock } = this.#host
    const headStartMs = next.transport === server.transport ? addressHeadStartMs : transportHeadStartMs
    this.#cancelHeadStart = clock.schedule(later(clock.now(), headStartMs), () => this.#tryNext())
  }

  #try({ transport, address, name }: ResolvedServer): void {
    const { serverDeadlineMs = defaultServerDeadlineMs, avoided } = this.#options
    const attempt: TurnConnection = openTurn(
      this.#host,
      { ...this.#options, transport, server: { address, name }, allocateDeadlineMs: serverDeadlineMs },
      {
        event: (event) => {
          if (event.type === 'failed') avoided?.note(address, event.failure, this.#host.clock.now())
          this.#handleEvent(attempt, event)
        },
        data: (bytes, peer) => {
          if (this.#winner === attempt) this.#handlers.data(bytes, peer)
        },
      },
    )
    this.#attempts.add(attempt)
  }

  #handleEvent(attempt: TurnConnection, event: TurnClientEvent): void {
    if (this.#winner === attempt) {
      if (event.type === 'failed' || event.type === 'closed') this.#finish(event)
      else this.#handlers.event(event)
    } else if (event.type === 'allocated') this.#win(attempt, event)
    else if (event.type === 'failed' || event.type === 'closed') {
      this.#attempts.delete(attempt)
      if (event.type === 'failed') this.#lose(event.failure)
      else this.#endIfIdle()
    }
  }

  /** The others close: one that has been granted an allocation meanwhile gives it back. */
  #win(attempt: TurnConnection, event: TurnClientEvent): void {
    if (this.#winner !== undefined || this.#isClosing) {
      attempt.close()
      return
    }
    this.#stopTrying()
    this.#winner = attempt
    this.#attempts.delete(attempt)
    for (const other of this.#attempts) other.close()
    this.#handlers.event(event)
    for (const wish of this.#wishes.values()) wish(attempt)
    this.#wishes.clear()
  }

  #lose(failure: TurnFailure): void {
    if (this.#winner !== undefined) return
    // What a server has said tells more than what was never answered.
    if (this.#failure?.type !== 'rejected') this.#failure = failure
    if (this.#isClosing) this.#endIfIdle()
    else if (this.#waiting.length > 0) this.#tryNext()
    else if (this.#attempts.size === 0) this.#finish({ type: 'failed', failure: this.#failure })
  }

  #endIfIdle(): void {
    if (this.#isClosing && this.#winner === undefined && this.#attempts.size === 0)
      this.#finish({ type: 'closed' })
  }

  #finish(event: TurnClientEvent): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stopTrying()
    this.#handlers.event(event)
  }
}
