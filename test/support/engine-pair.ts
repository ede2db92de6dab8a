/** Two engines that serve one set of clients, as two threads of a server do, and hand things over to each other. */

import { newSharedState } from '../../src/server/shared-memory.ts'
import { defaultLimits, type TurnServerOptions } from '../../src/turn/options.ts'
import type { SharedState } from '../../src/turn/shared-state.ts'
import { seededRandom } from './random.ts'
import { relayAddress, relayAddress6, TurnHarness } from './turn-harness.ts'

export class EnginePair {
  readonly shared: SharedState
  readonly here: TurnHarness
  readonly there: TurnHarness
  /** What was asked of the other engine, by kind. */
  readonly fetched: string[] = []
  /** Whether answers are kept back until `answer` is called. */
  holdsAnswers = false
  readonly #held: (() => void)[] = []

  constructor(options: Partial<TurnServerOptions> = {}) {
    const relays = options.relays ?? [
      { address: relayAddress, external: relayAddress },
      { address: relayAddress6, external: relayAddress6 },
    ]
    const relayPorts = options.relayPorts ?? { min: 50_000, max: 50_999 }
    const random = seededRandom(7)
    this.shared = newSharedState(defaultLimits, relays.length, relayPorts, random)
    const both = { ...options, relays, relayPorts, shared: this.shared, nonceKey: random.bytes(32) }
    this.here = new TurnHarness({ ...both, engine: 2 }, 11)
    this.there = new TurnHarness({ ...both, engine: 3 }, 12)
    this.#connect(this.here, this.there, 2, 3)
    this.#connect(this.there, this.here, 3, 2)
  }

  elapse(seconds: number): void {
    this.here.elapse(seconds)
    this.there.elapse(seconds)
  }

  /** Tells the engines what they have waited for. */
  answer(): void {
    for (const tell of this.#held.splice(0)) tell()
    this.here.drain()
    this.there.drain()
  }

  #connect(asker: TurnHarness, other: TurnHarness, engine: number, otherEngine: number): void {
    asker.watch = (output) => {
      if (output.type !== 'fetch') return
      this.fetched.push(output.key.kind)
      const answer =
        output.owner === otherEngine ? other.server.give(output.key, engine, other.now) : undefined
      other.drain()
      const tell = () => asker.server.fetched(output.id, answer, asker.now)
      if (this.holdsAnswers) this.#held.push(tell)
      else tell()
    }
  }
}
