/** All shards that have a thread of their own. */

import type { Host } from '../../core/host.ts'
import { newDescriptorSet } from '../../net/udp-mmsg/descriptors.ts'
import type { AllocationRecord } from '../../turn/allocation.ts'
import { ServerCounters } from '../../turn/counters.ts'
import type { ServeConfig } from '../config.ts'
import { newCounterBoard } from '../counter-board.ts'
import type { Surroundings } from '../engine.ts'
import { type IoReport, workerCount } from '../io-config.ts'
import type { OpenListener } from '../listeners.ts'
import type { Log } from '../log.ts'
import type { QuotaLedger } from '../quota-ledger.ts'
import type { PartnerInput, PartnerOrder } from '../shard.ts'
import type { TransferExchange } from '../transfer-exchange.ts'
import { ListenerSeats } from './listener-seats.ts'
import { ThreadShard } from './thread-shard.ts'

/** Engine numbers of threads: the main thread has the first. */
const firstThreadEngine = 2

export class ThreadShards {
  readonly #shards: readonly ThreadShard[]
  readonly #seats: ListenerSeats | undefined
  readonly listeners: readonly OpenListener[]

  /**
   * Starts them all, or rejects: with `listen-failed`, or with what the system says to a thread. The first says which
   * ports are in use, for those that the system was to choose.
   */
  static async start(
    config: ServeConfig,
    around: Surroundings,
    host: Host,
    log: Log,
    ledger: QuotaLedger,
    exchange: TransferExchange,
  ): Promise<ThreadShards> {
    const count = workerCount(config)
    const udp = { ...config, listen: config.listen.filter(({ transport }) => transport === 'udp') }
    const create = (index: number, listen: ServeConfig['listen']) =>
      new ThreadShard(
        {
          config: { ...udp, listen },
          around,
          io: config.io,
          engine: firstThreadEngine + index,
          sharesPorts: count > 1,
          logLevel: log.level ?? 'debug',
          counters: newCounterBoard(),
          descriptors: newDescriptorSet(),
        },
        log,
        ledger,
        exchange,
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
      if (first.io?.io === 'dgram') {
        // One after another, for their order is to be known.
        for (const shard of others) await shard.start()
        const seats = count > 1 ? new ListenerSeats(host, listeners, shards) : undefined
        for (const shard of shards) shard.seats = seats
        return new ThreadShards(shards, listeners, seats)
      }
      await Promise.all(others.map((shard) => shard.start()))
      return new ThreadShards(shards, listeners, undefined)
    } catch (error) {
      await Promise.all(shards.map((shard) => shard.close()))
      throw error
    }
  }

  private constructor(
    shards: readonly ThreadShard[],
    listeners: readonly OpenListener[],
    seats: ListenerSeats | undefined,
  ) {
    this.#shards = shards
    this.#seats = seats
    this.listeners = listeners
  }

  get io(): IoReport | undefined {
    return this.#shards[0]?.io
  }

  get count(): number {
    return this.#shards.length
  }

  /** What they have counted, a tenth of a second ago at the most. */
  counters(): ServerCounters {
    const sum = new ServerCounters()
    for (const shard of this.#shards) shard.addCounters(sum)
    return sum
  }

  async allocations(): Promise<AllocationRecord[]> {
    const lists = await Promise.all(this.#shards.map((shard) => shard.allocations()))
    return lists.flat()
  }

  /** Hears what any of them has for the link to a partner. */
  onPartnerInput(handle: (input: PartnerInput) => void): void {
    for (const shard of this.#shards) shard.partnerInput = handle
  }

  /** All have the same sockets: what leaves by one is for one of them, and what is to be known for all. */
  partnerOrder(order: PartnerOrder): void {
    const one = this.#shards.find(({ isReady }) => isReady)
    if (order.type === 'send' || order.type === 'answer') one?.partnerOrder(order)
    else for (const shard of this.#shards) shard.partnerOrder(order)
  }

  retire(): void {
    for (const shard of this.#shards) shard.retire()
  }

  /** As `ThreadShard.crash`, for the shard at that place. */
  async crash(index: number): Promise<void> {
    await this.#shards[index]?.crash()
  }

  async close(): Promise<void> {
    this.#seats?.close()
    await Promise.all(this.#shards.map((shard) => shard.close()))
  }
}
