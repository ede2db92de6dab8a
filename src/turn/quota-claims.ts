/**
 * What users hold of their quotas (RFC 8656 §5, §7.2 step 10): counted here, or where it is counted for several engines
 * that serve the same users. Then it is asked for, and the answer comes later.
 */

import type { OutputQueue } from '../core/output-queue.ts'
import type { Instant } from '../core/time.ts'
import type { Allocation } from './allocation.ts'
import type { ServerLimits, TurnServerOptions } from './options.ts'
import type { ServerOutput } from './outputs.ts'
import type { Quotas } from './quotas.ts'

/** The answer to a 'claim-quota'. */
export type QuotaDecision =
  | {
      readonly isGranted: true
      /** Where the user's rate is kept in shared memory; undefined where it is in no shared memory. */
      readonly rateSlot: number | undefined
    }
  | { readonly isGranted: false }

/** Whether there is a quota, or a user's rate, that several engines have in common. */
export function asksForQuotas({ shared }: TurnServerOptions, limits: ServerLimits): boolean {
  const { userQuota, totalQuota, userMaxBytesPerSecond } = limits
  return shared !== undefined && (userQuota > 0 || totalQuota > 0 || userMaxBytesPerSecond > 0)
}

export interface QuotaClaim {
  readonly allocation: Allocation
  readonly count: number
  /** Goes on with what the claim was for. */
  granted(now: Instant): void
  /** Ends the allocation, and says so to the client. */
  refused(): void
  /** Undoes what else was done in advance: it was refused, or the allocation has ended in the meantime. */
  withdrawn?(): void
}

export class QuotaClaims {
  /** Undefined where others count. */
  readonly #quotas: Quotas | undefined
  readonly #outputs: OutputQueue<ServerOutput>
  readonly #undecided = new Map<number, QuotaClaim>()
  readonly #claimIds = new Map<Allocation, number>()
  #nextClaim = 0

  constructor(quotas: Quotas | undefined, outputs: OutputQueue<ServerOutput>) {
    this.#quotas = quotas
    this.#outputs = outputs
  }

  /** How many claims have not been decided. */
  get pending(): number {
    return this.#undecided.size
  }

  /** Users that hold something, of those that are counted here. */
  get users(): number {
    return this.#quotas?.users ?? 0
  }

  /** Decided at once where it is counted here. */
  claim(claim: QuotaClaim, now: Instant): void {
    const { userId } = claim.allocation
    if (this.#quotas === undefined) {
      const id = this.#nextClaim++
      this.#undecided.set(id, claim)
      this.#claimIds.set(claim.allocation, id)
      this.#outputs.push({ type: 'claim-quota', claim: id, userId, count: claim.count })
    } else if (this.#quotas.take(userId, claim.count)) claim.granted(now)
    else refuse(claim)
  }

  /** What was asked for is decided. A claim that was given up meanwhile is given back. */
  decided(id: number, userId: string, count: number, decision: QuotaDecision, now: Instant): void {
    const claim = this.#undecided.get(id)
    if (claim !== undefined) this.#forget(id, claim)
    if (!decision.isGranted) {
      if (claim !== undefined) refuse(claim)
    } else if (claim === undefined) {
      this.release(userId, count)
    } else {
      claim.allocation.rateSlot = decision.rateSlot
      claim.granted(now)
    }
  }

  /** Whether the allocation had a claim that was not decided; it is given up, and nothing is held for it. */
  giveUp(allocation: Allocation): boolean {
    const id = this.#claimIds.get(allocation)
    const claim = id === undefined ? undefined : this.#undecided.get(id)
    if (id === undefined || claim === undefined) return false
    this.#forget(id, claim)
    claim.withdrawn?.()
    return true
  }

  release(userId: string, count: number): void {
    if (this.#quotas === undefined) this.#outputs.push({ type: 'return-quota', userId, count })
    else this.#quotas.release(userId, count)
  }

  /** What the user has so many of is another engine's now. Where others count, they have seen it. */
  handOver(userId: string, count: number): void {
    this.#quotas?.release(userId, count)
  }

  takeOver(userId: string, count: number): void {
    this.#quotas?.add(userId, count)
  }

  #forget(id: number, claim: QuotaClaim): void {
    this.#undecided.delete(id)
    this.#claimIds.delete(claim.allocation)
  }
}

function refuse(claim: QuotaClaim): void {
  claim.withdrawn?.()
  claim.refused()
}
