/** How many allocations and reservations each user has, and may have (RFC 8656 §5, §7.2). */

import type { ServerLimits } from './options.ts'

export function quotasOf({ userQuota, totalQuota }: ServerLimits): Quotas {
  return new Quotas(userQuota, totalQuota)
}

export class Quotas {
  readonly #perUser: number
  readonly #total: number
  readonly #held = new Map<string, number>()
  #heldByAll = 0

  /** 0 is no limit. */
  constructor(perUser: number, total: number) {
    this.#perUser = perUser
    this.#total = total
  }

  /** Users that hold anything. */
  get users(): number {
    return this.#held.size
  }

  /** Whether the user may have that many more; if so, they are the user's. */
  take(userId: string, count: number): boolean {
    const held = (this.#held.get(userId) ?? 0) + count
    if (this.#perUser > 0 && held > this.#perUser) return false
    if (this.#total > 0 && this.#heldByAll + count > this.#total) return false
    this.#held.set(userId, held)
    this.#heldByAll += count
    return true
  }

  /** The user has that many more, whatever there may be. */
  add(userId: string, count: number): void {
    this.#held.set(userId, (this.#held.get(userId) ?? 0) + count)
    this.#heldByAll += count
  }

  release(userId: string, count: number): void {
    this.#heldByAll -= count
    const left = (this.#held.get(userId) ?? 0) - count
    if (left <= 0) this.#held.delete(userId)
    else this.#held.set(userId, left)
  }
}
