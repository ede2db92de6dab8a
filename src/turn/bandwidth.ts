/**
 * How much application data is relayed (RFC 8656 §5, §21.3.1): by one allocation, by all of a user, by the server. What
 * is over a rate is dropped, as a full queue would; requests and their answers are not counted. Nothing is made per packet.
 */

import type { Instant } from '../core/time.ts'
import type { ServerLimits } from './options.ts'
import { numbersPerRate, type SharedState, serverRateSlot } from './shared-state.ts'

/** Bytes per second in each direction, without headers; 0 is no limit. */
export interface BandwidthLimits {
  readonly perAllocation: number
  readonly perUser: number
  readonly total: number
}

export function bandwidthOf(limits: ServerLimits, shared: SharedState | undefined): Bandwidth {
  const rates = {
    perAllocation: limits.maxBytesPerSecond,
    perUser: limits.userMaxBytesPerSecond,
    total: limits.totalMaxBytesPerSecond,
  }
  return new Bandwidth(rates, shared?.rates)
}

/** Limit: what may go at once, in time of its rate. A key frame of a video is a burst. */
const burstMs = 1000

const fromClient = 0
const toClient = 1
type Direction = typeof fromClient | typeof toClient

export class Bandwidth {
  readonly #limits: BandwidthLimits
  readonly #shared: Float64Array | undefined
  readonly #total: ByteRate | undefined
  /** Of users that have allocations, with how many they have. */
  readonly #users = new Map<string, { readonly rate: ByteRate; allocations: number }>()

  /** `shared` is memory that other engines count in as well: the server's rate, and those of users. */
  constructor(limits: BandwidthLimits, shared?: Float64Array) {
    this.#limits = limits
    this.#shared = shared
    this.#total = this.#rateOf(limits.total, serverRateSlot)
  }

  /** Users whose rates are kept. */
  get users(): number {
    return this.#users.size
  }

  /**
   * For a new allocation of that user, to be closed with it; undefined where nothing is limited. With a slot, the user's
   * rate is the one that is kept there in shared memory.
   */
  open(userId: string, rateSlot?: number): AllocationBandwidth | undefined {
    const own = this.#rateOf(this.#limits.perAllocation)
    const user =
      rateSlot === undefined ? this.#openUser(userId) : this.#rateOf(this.#limits.perUser, rateSlot)
    const rates = [own, user, this.#total].filter((rate) => rate !== undefined)
    return rates.length === 0 ? undefined : new AllocationBandwidth(rates)
  }

  close(userId: string): void {
    const user = this.#users.get(userId)
    if (user === undefined) return
    user.allocations--
    if (user.allocations === 0) this.#users.delete(userId)
  }

  #openUser(userId: string): ByteRate | undefined {
    if (this.#limits.perUser === 0) return undefined
    const known = this.#users.get(userId)
    const user = known ?? { rate: new ByteRate(this.#limits.perUser), allocations: 0 }
    user.allocations++
    if (known === undefined) this.#users.set(userId, user)
    return user.rate
  }

  #rateOf(bytesPerSecond: number, slot?: number): ByteRate | undefined {
    if (bytesPerSecond === 0) return undefined
    const shared = slot === undefined ? undefined : this.#shared
    if (shared === undefined || slot === undefined) return new ByteRate(bytesPerSecond)
    return new ByteRate(bytesPerSecond, shared.subarray(slot * numbersPerRate, (slot + 1) * numbersPerRate))
  }
}

/** All the rates that count for one allocation: a packet has to have room in each, and then counts in each. */
export class AllocationBandwidth {
  readonly #rates: readonly ByteRate[]

  constructor(rates: readonly ByteRate[]) {
    this.#rates = rates
  }

  admitFromClient(bytes: number, now: Instant): boolean {
    return this.#admit(fromClient, bytes, now)
  }

  admitToClient(bytes: number, now: Instant): boolean {
    return this.#admit(toClient, bytes, now)
  }

  /** Counts what has gone already, as of a TCP connection; milliseconds until there is room for more. */
  charge(bytesFromClient: number, bytesToClient: number, now: Instant): number {
    let waitMs = 0
    for (const rate of this.#rates) {
      rate.spend(fromClient, bytesFromClient, now)
      rate.spend(toClient, bytesToClient, now)
      waitMs = Math.max(waitMs, rate.waitMs(bytesFromClient > 0 ? fromClient : toClient, now))
    }
    return waitMs
  }

  #admit(direction: Direction, bytes: number, now: Instant): boolean {
    const rates = this.#rates
    for (let i = 0; i < rates.length; i++) if (!rates[i]!.hasRoom(direction, now)) return false
    for (let i = 0; i < rates.length; i++) rates[i]!.spend(direction, bytes, now)
    return true
  }
}

class ByteRate {
  readonly #msPerByte: number
  /** For each direction the time at which all that has gone is paid for (the generic cell rate algorithm). */
  readonly #paidUntil: Float64Array

  constructor(bytesPerSecond: number, paidUntil: Float64Array = new Float64Array(numbersPerRate)) {
    this.#msPerByte = 1000 / bytesPerSecond
    this.#paidUntil = paidUntil
  }

  hasRoom(direction: Direction, now: Instant): boolean {
    return this.#paidUntil[direction]! - now < burstMs
  }

  waitMs(direction: Direction, now: Instant): number {
    return Math.max(0, this.#paidUntil[direction]! - now - burstMs)
  }

  spend(direction: Direction, bytes: number, now: Instant): void {
    this.#paidUntil[direction] = Math.max(this.#paidUntil[direction]!, now) + bytes * this.#msPerByte
  }
}
