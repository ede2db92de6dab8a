/**
 * Allocate: RFC 8656 §7.2. The world has to be asked for the relay socket, so the answer comes later: `bound`
 * and `failed` go on where `handle` has left off.
 */

import { type Random, randomUint32 } from '../../core/random.ts'
import { type SocketId, socketId } from '../../core/sans-io.ts'
import type { Instant } from '../../core/time.ts'
import type { TransportAddress } from '../../core/transport-address.ts'
import { Allocation } from '../allocation.ts'
import { limits } from '../options.ts'
import type { PortParity } from '../port-pool.ts'
import type { Relay } from '../relay-address.ts'
import {
  type Outcome,
  type ReplyAddress,
  reject,
  type ServerState,
  succeed,
  type TurnRequest,
} from '../request.ts'
import { firstRelaySocket } from '../socket-numbers.ts'
import { grantedLifetime } from './refresh.ts'

/** IANA protocol number of UDP (RFC 8656 §18.8). */
const udp = 17

interface PendingBind {
  readonly allocation: Allocation
  readonly relay: Relay
  readonly parity: PortParity
  readonly reply: ReplyAddress
  /** Ports that the system has refused; held until the request is done, so that none is tried twice. */
  readonly refused: number[]
}

export interface BindRelay {
  readonly socket: SocketId
  readonly address: TransportAddress
}

/** What became of a bind: try another, or answer the request. */
export type BindResult =
  | { readonly type: 'retry'; readonly bind: BindRelay }
  | {
      readonly type: 'done'
      readonly reply: ReplyAddress
      readonly allocation: Allocation | undefined
      readonly outcome: Outcome
    }

export class AllocateMethod {
  readonly #state: ServerState
  readonly #random: Random
  readonly #pending = new Map<SocketId, PendingBind>()
  readonly #freeSockets: SocketId[] = []
  #nextSocket = firstRelaySocket

  constructor(state: ServerState, random: Random) {
    this.#state = state
    this.#random = random
  }

  /** `bind` is to be asked of the world before anything else; its result is told to `bound` or `failed`. */
  handle(request: TurnRequest, bind: (bind: BindRelay) => void): Outcome {
    const { options, allocations, relays } = this.#state
    const { message, socket, client } = request
    // 1. A five-tuple in use: the same request again gets the same answer, another one 437.
    const existing = allocations.findByClient(socket, client)
    if (existing !== undefined) {
      if (!isSameTransaction(existing.transactionId, request.transactionId)) return reject(437)
      return existing.state === 'active' ? granted(existing) : { type: 'later' }
    }
    // 2. REQUESTED-TRANSPORT, which must be UDP.
    const transport = message.get('REQUESTED-TRANSPORT')
    if (transport === undefined) return reject(400)
    if (transport !== udp) return reject(442)
    // 3. The family: IPv4 unless another is asked for.
    if (message.has('REQUESTED-ADDRESS-FAMILY') && message.has('ADDITIONAL-ADDRESS-FAMILY'))
      return reject(400)
    const family = message.get('REQUESTED-ADDRESS-FAMILY') ?? 'IPv4'
    if (typeof family === 'number' || !relays.supports(family)) return reject(440)
    // 4. EVEN-PORT. Deviation: the next port is not reserved (R bit), which is answered as "no capacity" (§7.2 8.).
    const evenPort = message.get('EVEN-PORT')
    if (evenPort?.reserveNext === true) return reject(508)
    const parity = evenPort === undefined ? 'any' : 'even'
    // 5. The user's quota.
    const quota = options.userQuota ?? 0
    if (quota > 0 && allocations.countOf(request.username) >= quota) return reject(486)
    // 6. A port. When none is left that is said at once.
    const relay = relays.withFreePort(family)
    const port = relay?.ports.take(this.#random, parity)
    if (relay === undefined || port === undefined) return reject(508)
    const allocation = new Allocation(
      {
        id: randomUint32(this.#random).toString(16).padStart(8, '0'),
        socket,
        client,
        transport: this.#state.transports.get(socket) ?? 'udp',
        credential: request.credential,
        transactionId: request.transactionId,
        lifetime: grantedLifetime(request, options),
        createdAt: request.now,
      },
      this.#takeSocket(),
      relay.address.withPort(port),
      relay.external.withPort(port),
    )
    allocations.add(allocation)
    this.#pending.set(allocation.relaySocket, {
      allocation,
      relay,
      parity,
      reply: replyOf(request),
      refused: [],
    })
    bind({ socket: allocation.relaySocket, address: allocation.relayLocal })
    return { type: 'later' }
  }

  /** The relay socket is there: the allocation begins. undefined for a socket that nobody waits for. */
  bound(socket: SocketId, now: Instant): BindResult | undefined {
    const pending = this.#takePending(socket)
    if (pending === undefined) return undefined
    const { allocation, reply } = pending
    this.#releaseRefused(pending)
    this.#state.allocations.activate(allocation, now)
    this.#state.counters.allocationsCreated++
    return { type: 'done', reply, allocation, outcome: granted(allocation) }
  }

  /** The system refused: a port in use is skipped for another one, anything else is 508 (§7.2, §19). */
  failed(socket: SocketId, reason: string): BindResult | undefined {
    const pending = this.#takePending(socket)
    if (pending === undefined) return undefined
    const { allocation, relay, reply, refused } = pending
    refused.push(allocation.relayLocal.port)
    const canRetry = reason === 'EADDRINUSE' || reason === 'EACCES'
    const port =
      canRetry && refused.length < limits.bindAttempts
        ? relay.ports.take(this.#random, pending.parity)
        : undefined
    if (port === undefined) {
      this.#releaseRefused(pending)
      this.#state.allocations.remove(allocation)
      this.#freeSockets.push(socket)
      return { type: 'done', reply, allocation: undefined, outcome: reject(508) }
    }
    const next = this.#takeSocket()
    this.#freeSockets.push(socket)
    const local = relay.address.withPort(port)
    this.#state.allocations.moveRelay(allocation, next, local, relay.external.withPort(port))
    this.#pending.set(next, pending)
    return { type: 'retry', bind: { socket: next, address: local } }
  }

  /** Gives back what an allocation held: its port and its socket's number. */
  release(allocation: Allocation): void {
    const pending = this.#takePending(allocation.relaySocket)
    if (pending !== undefined) this.#releaseRefused(pending)
    const relay = this.#state.relays.at(allocation.relayLocal)
    relay?.ports.release(allocation.relayLocal.port)
    this.#freeSockets.push(allocation.relaySocket)
  }

  #takePending(socket: SocketId): PendingBind | undefined {
    const pending = this.#pending.get(socket)
    this.#pending.delete(socket)
    return pending
  }

  #releaseRefused({ relay, refused }: PendingBind): void {
    for (const port of refused) relay.ports.release(port)
  }

  /** Numbers are used again, so that drivers may index arrays by them. */
  #takeSocket(): SocketId {
    return this.#freeSockets.shift() ?? socketId(this.#nextSocket++)
  }
}

function granted(allocation: Allocation): Outcome {
  return succeed(
    ['XOR-RELAYED-ADDRESS', allocation.relayed],
    ['XOR-MAPPED-ADDRESS', allocation.client],
    ['LIFETIME', allocation.lifetime],
  )
}

function replyOf({ socket, client, method, transactionId, key }: TurnRequest): ReplyAddress {
  return { socket, client, method, transactionId, key }
}

function isSameTransaction(x: Uint8Array, y: Uint8Array): boolean {
  return x.every((byte, i) => byte === y[i])
}
