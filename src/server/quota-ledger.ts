/**
 * The quotas of all shards of a server, and where in shared memory each user's rate is kept. It lives in the main
 * thread; shards ask it, and what they are told counts for all of them.
 */

import type { ServerLimits } from '../turn/options.ts'
import type { QuotaDecision } from '../turn/quota-claims.ts'
import { Quotas } from '../turn/quotas.ts'
import { numbersPerRate, serverRateSlot } from '../turn/shared-state.ts'

/** Limit: users with a rate of their own in shared memory; more than that have one for each shard. */
export const rateSlots = 1 << 16

/** A shard: what it holds is given back for it when it is gone. */
export interface QuotaMember {
  readonly held: Map<string, number>
}

interface User {
  held: number
  readonly slot: number | undefined
}

export class QuotaLedger {
  readonly #quotas: Quotas
  readonly #hasUserRates: boolean
  readonly #rates: Float64Array | undefined
  readonly #users = new Map<string, User>()
  readonly #freeSlots: number[] = []
  #nextSlot = serverRateSlot + 1

  /** `rates` is the shared memory of the rates, with room for the server's and those of users; undefined for one shard. */
  constructor(limits: ServerLimits, rates: Float64Array | undefined) {
    this.#quotas = new Quotas(limits.userQuota, limits.totalQuota)
    this.#hasUserRates = rates !== undefined && limits.userMaxBytesPerSecond > 0
    this.#rates = rates
  }

  /** Users that hold anything. */
  get users(): number {
    return this.#users.size
  }

  join(): QuotaMember {
    return { held: new Map() }
  }

  /** Whether the user may have that many more, at any shard; if so, they are the member's. */
  claim(member: QuotaMember, userId: string, count: number): QuotaDecision {
    if (!this.#quotas.take(userId, count)) return { isGranted: false }
    member.held.set(userId, (member.held.get(userId) ?? 0) + count)
    const user = this.#users.get(userId) ?? { held: 0, slot: this.#takeSlot() }
    user.held += count
    this.#users.set(userId, user)
    return { isGranted: true, rateSlot: user.slot }
  }

  giveBack(member: QuotaMember, userId: string, count: number): void {
    const left = (member.held.get(userId) ?? 0) - count
    if (left < 0) return
    if (left === 0) member.held.delete(userId)
    else member.held.set(userId, left)
    this.#quotas.release(userId, count)
    const user = this.#users.get(userId)
    if (user === undefined) return
    user.held -= count
    if (user.held > 0) return
    this.#users.delete(userId)
    if (user.slot !== undefined) this.#freeSlots.push(user.slot)
  }

  /** What one shard holds is another's from now on. */
  move(from: QuotaMember, to: QuotaMember, userId: string, count: number): void {
    const left = (from.held.get(userId) ?? 0) - count
    if (left < 0) return
    if (left === 0) from.held.delete(userId)
    else from.held.set(userId, left)
    to.held.set(userId, (to.held.get(userId) ?? 0) + count)
  }

  /** The shard is gone, and all that it held. */
  leave(member: QuotaMember): void {
    for (const [userId, count] of [...member.held]) this.giveBack(member, userId, count)
  }

  #takeSlot(): number | undefined {
    if (!this.#hasUserRates) return undefined
    const free = this.#freeSlots.pop()
    const slot = free ?? (this.#nextSlot <= rateSlots ? this.#nextSlot++ : undefined)
    // Nobody begins with what another user has run up.
    if (slot !== undefined) this.#rates?.fill(0, slot * numbersPerRate, (slot + 1) * numbersPerRate)
    return slot
  }
}
