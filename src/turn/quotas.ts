/** How many allocations and reservations each user has, and may have (RFC 8656 §5, §7.2). */

export class Quotas {
  /** 0 is no limit. */
  readonly #perUser: number
  readonly #held = new Map<string, number>()

  constructor(perUser: number) {
    this.#perUser = perUser
  }

  /** Users that hold anything. */
  get users(): number {
    return this.#held.size
  }

  /** Whether the user may have that many more. */
  admits(userId: string, wanted: number): boolean {
    return this.#perUser === 0 || (this.#held.get(userId) ?? 0) + wanted <= this.#perUser
  }

  take(userId: string, count: number): void {
    this.#held.set(userId, (this.#held.get(userId) ?? 0) + count)
  }

  release(userId: string, count: number): void {
    const left = (this.#held.get(userId) ?? 0) - count
    if (left <= 0) this.#held.delete(userId)
    else this.#held.set(userId, left)
  }
}
