/** All shards that have a thread of their own. */

import { ServerCounters } from '../../turn/counters.ts'
import type { ServeConfig } from '../config.ts'
import { addCounters, newCounterBoard } from '../counter-board.ts'
import type { Surroundings } from '../engine.ts'
import { type IoName, workerCount } from '../io-config.ts'
import type { OpenListener } from '../listeners.ts'
import type { Log } from '../log.ts'
import type { QuotaLedger } from '../quota-ledger.ts'
import { ThreadShard } from './thread-shard.ts'

export class ThreadShards {
  readonly #shards: ThreadShard[] = []
  readonly #boards: SharedArrayBuffer[] = []
  readonly listeners: readonly OpenListener[]

  /**
   * Starts them all, or rejects: with `listen-failed`, or with what the system says to a thread. The first says which
   * ports are in use, for those that the system was to choose.
   */
  static async start(
    config: ServeConfig,
    around: Surroundings,
    log: Log,
    ledger: QuotaLedger,
  ): Promise<ThreadShards> {
    const count = workerCount(config)
    const udp = { ...config, listen: config.listen.filter(({ transport }) => transport === 'udp') }
    const boards = Array.from({ length: count }, newCounterBoard)
    const create = (index: number, listen: ServeConfig['listen']) =>
      new ThreadShard(
        {
          config: { ...udp, listen },
          around,
          io: config.io,
          sharesPorts: count > 1,
          logLevel: log.level ?? 'debug',
          counters: boards[index]!,
        },
        log,
        ledger,
      )
    const first = create(0, udp.listen)
    const shards = [first]
    try {
      const listeners = await first.start()
      const others = Array.from({ length: count - 1 }, (_, i) =>
        create(
          i + 1,
          listeners.map((listener) => ({ ...listener, isOptional: false })),
        ),
      )
      shards.push(...others)
      await Promise.all(others.map((shard) => shard.start()))
      return new ThreadShards(shards, boards, listeners)
    } catch (error) {
      await Promise.all(shards.map((shard) => shard.close()))
      throw error
    }
  }

  private constructor(
    shards: readonly ThreadShard[],
    boards: readonly SharedArrayBuffer[],
    listeners: readonly OpenListener[],
  ) {
    this.#shards.push(...shards)
    this.#boards.push(...boards)
    this.listeners = listeners
  }

  get io(): IoName | undefined {
    return this.#shards[0]?.io
  }

  get ioReason(): string | undefined {
    return this.#shards[0]?.ioReason
  }

  get count(): number {
    return this.#shards.length
  }

  /** What they have counted, a tenth of a second ago at the most. */
  counters(): ServerCounters {
    const sum = new ServerCounters()
    for (const board of this.#boards) addCounters(board, sum)
    return sum
  }

  async close(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.close()))
  }
}
