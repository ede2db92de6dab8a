/**
 * Allocations that their client may take along to another address (RFC 8016). A ticket is good for one move, and for
 * half a minute after that for its retransmissions. Data goes the old way until the first comes from the new one.
 */

import type { OutputQueue } from '../core/output-queue.ts'
import type { SocketId } from '../core/sans-io.ts'
import { type Instant, later } from '../core/time.ts'
import type { AddressWords, TransportAddress } from '../core/transport-address.ts'
import type { Allocation } from './allocation.ts'
import type { Allocations } from './allocations.ts'
import { type ClientPath, isSamePath } from './client-path.ts'
import { Mobility } from './mobility.ts'
import { TicketSealer } from './mobility-ticket.ts'
import type { ServerOutput } from './outputs.ts'
import { noSocket } from './socket-numbers.ts'

/** A handle says which engine has made it. */
const handlesPerEngine = 2 ** 32

export interface FoundTicket {
  readonly allocation: Allocation | undefined
  /** Where it was when the ticket was made. */
  readonly engine: number
  readonly handle: number
  readonly generation: number
}

/** §3.2.2: how long a ticket is recognized after its use. */
const spentTicketMs = 30_000

export class MobileAllocations {
  readonly #allocations: Allocations
  readonly #outputs: OutputQueue<ServerOutput>
  readonly #sealer: TicketSealer
  readonly #byHandle = new Map<number, Allocation>()
  readonly #engine: number
  #nextHandle = 1

  /** `keys` are 64 random bytes, the same for all engines that accept each other's tickets; `engine` tells them apart. */
  constructor(
    allocations: Allocations,
    outputs: OutputQueue<ServerOutput>,
    keys: Uint8Array,
    engine: number,
  ) {
    this.#allocations = allocations
    this.#outputs = outputs
    this.#sealer = new TicketSealer(keys)
    this.#engine = engine
  }

  get size(): number {
    return this.#byHandle.size
  }

  /** The allocation that tickets with that handle are for, if it is here. */
  at(handle: number): Allocation | undefined {
    return this.#byHandle.get(handle)
  }

  /** Makes the allocation a mobile one; its first ticket. */
  add(allocation: Allocation): Uint8Array {
    const handle = this.#newHandle()
    const ticket = this.#sealer.seal({ handle, generation: 0 })
    allocation.mobility = new Mobility(handle, ticket)
    this.#byHandle.set(handle, allocation)
    return ticket
  }

  /** Another engine's allocation goes on here. Its last ticket stays good; the next one will be of our own. */
  adopt(allocation: Allocation, formerHandle: number, generation: number): void {
    const handle = this.#newHandle()
    const ticket = this.#sealer.seal({ handle, generation })
    allocation.mobility = new Mobility(handle, ticket, formerHandle)
    allocation.mobility.generation = generation
    this.#byHandle.set(handle, allocation)
    this.#byHandle.set(formerHandle, allocation)
  }

  remove({ mobility }: Allocation): void {
    if (mobility === undefined) return
    this.#byHandle.delete(mobility.handle)
    if (mobility.formerHandle !== undefined) this.#byHandle.delete(mobility.formerHandle)
  }

  /** What a ticket stands for; undefined for bytes that are none. The allocation may be gone, or with another engine. */
  find(ticket: Uint8Array): FoundTicket | undefined {
    const contents = this.#sealer.open(ticket)
    if (contents === undefined) return undefined
    const { handle, generation } = contents
    return {
      allocation: this.#byHandle.get(handle),
      engine: Math.trunc(handle / handlesPerEngine),
      handle,
      generation,
    }
  }

  #newHandle(): number {
    return this.#engine * handlesPerEngine + this.#nextHandle++
  }

  /** The client has shown the newest ticket from there. It gets another one, and may send from both places. */
  begin(allocation: Allocation, mobility: Mobility, path: ClientPath, now: Instant): void {
    mobility.generation++
    mobility.ticket = this.#sealer.seal(mobility)
    mobility.lastMove = { path, until: later(now, spentTicketMs) }
    if (mobility.pending !== undefined) this.#allocations.removePath(mobility.pending)
    mobility.pending = undefined
    if (isSamePath(allocation, path.socket, path.client)) return
    this.#allocations.addPath(allocation, path)
    mobility.pending = path
    if (allocation.socket === noSocket) this.#complete(allocation, mobility)
  }

  /** Data has come from the client; if it has come from the new place, that is where it is now. */
  arrived(allocation: Allocation, mobility: Mobility, socket: SocketId, source: AddressWords): void {
    const { pending } = mobility
    if (pending !== undefined && isSamePath(pending, socket, source)) this.#complete(allocation, mobility)
  }

  /** A connection of the client's has closed. The allocation stays for who has the ticket, while its lifetime runs. */
  disconnected(allocation: Allocation, mobility: Mobility, socket: SocketId, client: AddressWords): void {
    const { pending } = mobility
    if (pending !== undefined && isSamePath(pending, socket, client)) {
      this.#allocations.removePath(pending)
      mobility.pending = undefined
    } else if (pending !== undefined) {
      this.#complete(allocation, mobility)
    } else {
      this.#allocations.removePath(allocation)
      allocation.socket = noSocket
    }
  }

  #complete(allocation: Allocation, mobility: Mobility): void {
    const { pending } = mobility
    if (pending === undefined) return
    const from: TransportAddress = allocation.client
    if (allocation.socket !== noSocket) this.#allocations.removePath(allocation)
    allocation.socket = pending.socket
    allocation.client = pending.client
    allocation.transport = pending.transport
    allocation.verifiedNonce = undefined
    mobility.pending = undefined
    this.#outputs.push({ type: 'allocation-moved', allocation, from })
  }
}
