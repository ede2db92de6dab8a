/** How many allocations and reservations each user has, and may have (RFC 8656 §5, §7.2). */

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

  /** Whether the user may have that many more. */
  admits(userId: string, wanted: number): boolean {
    if (this.#total > 0 && this.#heldByAll + wanted > this.#total) return false
    return this.#perUser === 0 || (this.#held.get(userId) ?? 0) + wanted <= this.#perUser
  }

  take(userId: string, count: number): void {
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
