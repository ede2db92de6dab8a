/** The generations of a session: the one that data goes by, one that is to take over, one that is on its way out. */

import type { SocketId } from '../core/sans-io.ts'
import { earliest, type Instant, later } from '../core/time.ts'
import type { Ufrags } from './binding.ts'
import type { IceCredentials } from './credentials.ts'
import type { Generation } from './generation.ts'
import { LiveGeneration } from './live-generation.ts'
import type { IceState } from './outputs.ts'
import type { Session } from './session.ts'
import { summaryOf } from './stats.ts'

/** How long an old generation still answers after a new one has taken over (RFC 8445 §8.3.1). */
const retireAfterMs = 3000

export class Generations {
  /** The generation that data goes by. */
  active: LiveGeneration
  /** Beside it after a restart, until it takes over. */
  next: LiveGeneration | undefined
  /** What has been taken over from, for as long as late packets may come. */
  retiring: LiveGeneration | undefined
  #retireAt: Instant | undefined
  /** The active one first. */
  #all: readonly LiveGeneration[]
  readonly #session: Session
  readonly #switchRole: () => void

  constructor(session: Session, credentials: IceCredentials, switchRole: () => void) {
    this.#session = session
    this.#switchRole = switchRole
    this.active = new LiveGeneration(session, credentials, switchRole)
    this.#all = [this.active]
  }

  get all(): readonly LiveGeneration[] {
    return this.#all
  }

  /** The one that descriptions and candidates are about. */
  get newest(): LiveGeneration {
    return this.next ?? this.active
  }

  get nextDeadline(): Instant | undefined {
    let next = this.#retireAt
    for (const live of this.#all) next = earliest(next, live.nextDeadline)
    return next
  }

  /** Nominations wait to be sent. */
  get hasNominations(): boolean {
    for (const live of this.#all) if (live.hasNominations) return true
    return false
  }

  nominateNext(now: Instant): void {
    this.#all.find((live) => live.hasNominations)?.nominateNext(now)
  }

  of(generation: Generation): LiveGeneration {
    return this.#all.find((live) => live.generation === generation) ?? this.active
  }

  /** Whether a socket belongs to any of them. */
  knows(socket: SocketId): boolean {
    for (const { generation } of this.#all) if (generation.bases.has(socket)) return true
    return false
  }

  /** Whose fragment a check names; of two with the same one of ours, the one that has the peer's too. */
  byUfrags({ local, remote }: Ufrags): LiveGeneration | undefined {
    const named = this.#all.filter(({ generation }) => generation.credentials.ufrag === local)
    return named.find(({ generation }) => generation.remote?.ufrag === remote) ?? named.at(-1)
  }

  byTransaction(transactionId: Uint8Array): LiveGeneration | undefined {
    for (const live of this.#all) if (live.checker.owns(transactionId)) return live
    return undefined
  }

  /** A new generation beside the active one. One that has not taken over yet gives way to it. */
  restart(credentials: IceCredentials): LiveGeneration {
    return this.#putNext(new LiveGeneration(this.#session, credentials, this.#switchRole))
  }

  /**
   * The newest generation from the start, with the same credentials of ours and others of the peer. A path that it has
   * already stays in use meanwhile.
   */
  renew(): LiveGeneration {
    const old = this.newest
    const fresh = new LiveGeneration(this.#session, old.generation.credentials, this.#switchRole)
    fresh.generation.early.push(...old.generation.early)
    if (old === this.next || old.generation.hasPaths) return this.#putNext(fresh)
    old.tcp.closeAll()
    this.active = fresh
    this.#changed()
    return fresh
  }

  #putNext(live: LiveGeneration): LiveGeneration {
    this.next?.tcp.closeAll()
    this.next = live
    this.#changed()
    return live
  }

  /**
   * Data moves to the next generation when that has selected its pairs, or has any while the active one has none; and the
   * next one is dropped when it has failed and the active one has not.
   */
  cutOver(now: Instant): void {
    if (this.#retireAt !== undefined && now >= this.#retireAt) this.#retire()
    const { active, next } = this
    if (next === undefined) return
    const { generation } = next
    if (generation.isCompleted || (generation.hasPaths && !active.generation.hasPaths)) {
      this.#takeOver(next, now)
    } else if (generation.failure !== undefined && active.generation.hasPaths) {
      const pairs = [...generation.set.pairs()].map(summaryOf)
      this.#session.outputs.push({ type: 'restart-failed', ufrag: generation.credentials.ufrag, pairs })
      next.tcp.closeAll()
      this.next = undefined
      this.#changed()
    }
  }

  /** What the session as a whole has come to (RFC 8445 §6.1.3), and why. */
  get state(): { readonly state: IceState; readonly reason: string | undefined } {
    const { active } = this
    if (active.generation.hasPaths) {
      for (const { isSilent, path } of active.generation.components) {
        if (isSilent) return { state: 'disconnected', reason: `nothing heard from ${path?.destination}` }
      }
      return { state: active.generation.isCompleted ? 'completed' : 'connected', reason: undefined }
    }
    const { failure, remote } = this.newest.generation
    if (failure !== undefined) return { state: 'failed', reason: failure }
    if (this.next === undefined && active.isLost) {
      return { state: 'disconnected', reason: 'the path in use was lost' }
    }
    const hasBegun = remote !== undefined || active.generation.remote !== undefined
    return { state: hasBegun ? 'checking' : 'new', reason: undefined }
  }

  #takeOver(next: LiveGeneration, now: Instant): void {
    for (const component of next.generation.components) component.pathReason = 'restarted'
    this.#retire()
    this.retiring = this.active
    this.#retireAt = later(now, retireAfterMs)
    this.active = next
    this.next = undefined
    this.#changed()
  }

  #retire(): void {
    this.#retireAt = undefined
    if (this.retiring === undefined) return
    const { ufrag } = this.retiring.generation.credentials
    this.retiring.tcp.closeAll()
    this.retiring = undefined
    this.#changed()
    this.#session.outputs.push({ type: 'generation-retired', ufrag })
  }

  #changed(): void {
    this.#all = [this.active, this.next, this.retiring].filter((live) => live !== undefined)
  }
}
