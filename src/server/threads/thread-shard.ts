/**
 * A shard's thread as the main thread sees it. One that dies is started again: its allocations are lost, as they are
 * when a server restarts, and everything that it held is given back.
 */

import { writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { TurnpikeError, unreachable } from '../../core/errors.ts'
import { DescriptorSet } from '../../net/udp-mmsg/descriptors.ts'
import type { AllocationRecord } from '../../turn/allocation.ts'
import { ServerCounters } from '../../turn/counters.ts'
import { releaseAllPorts } from '../../turn/port-pool.ts'
import type { FetchAnswer, TransferKey } from '../../turn/transfer-items.ts'
import { addCounters } from '../counter-board.ts'
import type { IoReport } from '../io-config.ts'
import type { OpenListener } from '../listeners.ts'
import type { Log } from '../log.ts'
import type { QuotaLedger, QuotaMember } from '../quota-ledger.ts'
import type { PartnerInput, PartnerOrder } from '../shard.ts'
import type { ExchangeMember, TransferExchange } from '../transfer-exchange.ts'
import type { ListenerSeats, Seated } from './listener-seats.ts'
import type { FromThread, ThreadData, ToThread } from './messages.ts'
import { pack, unpack } from './transfer.ts'

type Ready = Extract<FromThread, { type: 'ready' }>

/** Sources are run as they are, and built ones from dist/. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)

/** What an eventfd is written. */
const one = new Uint8Array(new BigUint64Array([1n]).buffer)

/** Limit: how long to wait before the thread is started again, at first and at the longest. */
const restartDelayMs = { first: 100, longest: 30_000 } as const
/** A thread that has served for so long had nothing wrong with it from the start. */
const soundAfterMs = 60_000

export class ThreadShard implements ExchangeMember, Seated {
  readonly engine: number
  readonly #data: ThreadData
  readonly #log: Log
  readonly #ledger: QuotaLedger
  readonly #exchange: TransferExchange
  #worker: Worker | undefined
  #quota: QuotaMember
  #ready: Ready | undefined
  #isClosing = false
  #isRetired = false
  #delayMs: number = restartDelayMs.first
  #restart: NodeJS.Timeout | undefined
  /** What threads have counted that are no more. */
  readonly #past = new ServerCounters()
  readonly #questions = new Map<number, (answer: readonly AllocationRecord[]) => void>()
  /** Told of when the thread has died, and when it is back: see listener-seats.ts. */
  seats: ListenerSeats | undefined
  /** Hears what the thread has for the link to a partner. */
  partnerInput: (input: PartnerInput) => void = () => {}
  /** What a thread that starts anew has to be told of partners, by what it is about. */
  readonly #partnerState = new Map<string, PartnerOrder>()
  #nextQuestion = 0

  constructor(data: ThreadData, log: Log, ledger: QuotaLedger, exchange: TransferExchange) {
    this.engine = data.engine
    this.#data = data
    this.#log = log
    this.#ledger = ledger
    this.#exchange = exchange
    this.#quota = ledger.join()
  }

  get quota(): QuotaMember {
    return this.#quota
  }

  get io(): IoReport | undefined {
    return this.#ready?.io
  }

  /** The listeners, when they are open. Rejects with `listen-failed`, or with what the thread has died of. */
  start(): Promise<readonly OpenListener[]> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(entry, {
        workerData: pack(this.#data),
        // Packets leave no garbage, and requests little: a small young generation stays in the cache, and costs no memory.
        resourceLimits: { maxYoungGenerationSizeMb: 6 },
      })
      const startedAt = performance.now()
      let reason: unknown = 'it has ended'
      this.#worker = worker
      this.#exchange.join(this.engine, this)
      worker.on('error', (error) => {
        reason = error
      })
      worker.on('message', (packed) => {
        const message = unpack<FromThread>(packed)
        if (message.type === 'failed') reason = new TurnpikeError(message.code, message.message)
        else this.#handle(message, resolve)
      })
      worker.on('exit', () => {
        const wasReady = this.#ready !== undefined
        this.#giveBack()
        if (!wasReady) reject(reason instanceof Error ? reason : new Error(String(reason)))
        else if (!this.#isClosing) this.#recover(reason, performance.now() - startedAt, true)
      })
    })
  }

  /** Ends every allocation and the thread. */
  async close(): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#restart)
    const worker = this.#worker
    if (worker === undefined) {
      new DescriptorSet(this.#data.descriptors).closeAll(false)
      return
    }
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    this.#tell({ type: 'close' })
    await ended
  }

  /** Ends the thread as a fault in it would. For tests, and for a thread that does not answer any more. */
  async crash(): Promise<void> {
    const ended = this.#worker?.terminate()
    this.#wakeUp()
    await ended
  }

  get isReady(): boolean {
    return this.#ready !== undefined
  }

  partnerOrder(order: PartnerOrder): void {
    if (order.type === 'partner') this.#partnerState.set(`partner ${order.link}`, order)
    if (order.type === 'keys') this.#partnerState.set('keys', order)
    if (this.#ready !== undefined) this.#tell({ type: 'partner-order', order })
  }

  retire(): void {
    this.#isRetired = true
    this.#tell({ type: 'retire' })
  }

  allocations(): Promise<readonly AllocationRecord[]> {
    return this.#ask((question) => ({ type: 'list-allocations', question }))
  }

  async reseat(): Promise<void> {
    await this.#ask((question) => ({ type: 'reseat', question }))
  }

  /** Adds what has been counted here. */
  addCounters(sum: ServerCounters): void {
    addCounters(this.#data.counters, sum)
    addCounters(this.#past, sum)
  }

  give(question: number, key: TransferKey, engine: number): void {
    this.#tell({ type: 'give', question, key, engine })
  }

  fetched(id: number, answer: FetchAnswer): void {
    this.#tell({ type: 'fetched', id, answer })
  }

  #handle(
    message: Exclude<FromThread, { type: 'failed' }>,
    started: (listeners: readonly OpenListener[]) => void,
  ): void {
    switch (message.type) {
      case 'ready':
        this.#ready = message
        if (this.#isRetired) this.#tell({ type: 'retire' })
        for (const order of this.#partnerState.values()) this.#tell({ type: 'partner-order', order })
        started(message.listeners)
        return
      case 'claim-quota': {
        const { claim, userId, count } = message
        const decision = this.#ledger.claim(this.#quota, userId, count)
        this.#tell({ type: 'quota-decided', claim, userId, count, decision })
        return
      }
      case 'return-quota':
        this.#ledger.giveBack(this.#quota, message.userId, message.count)
        return
      case 'fetch':
        this.#exchange.fetch(this.engine, message.id, message.owner, message.key)
        return
      case 'given':
        this.#exchange.given(message.question, message.answer)
        return
      case 'allocations':
        this.#answered(message.question, message.allocations)
        return
      case 'for-partner':
        this.partnerInput(message.input)
        return
      case 'reseated':
        this.#answered(message.question, [])
        return
      case 'log':
        this.#log[message.level](message.message, message.fields)
        return
      default:
        unreachable(message)
    }
  }

  /** What the thread held is free again, whatever it has ended by. */
  #giveBack(): void {
    this.#ready = undefined
    this.#worker = undefined
    this.#exchange.leave(this.engine)
    this.#ledger.leave(this.#quota)
    this.#quota = this.#ledger.join()
    new DescriptorSet(this.#data.descriptors).closeAll(!this.#isClosing)
    for (const ports of this.#data.around.shared?.relayPorts ?? []) releaseAllPorts(ports, this.engine)
    addCounters(this.#data.counters, this.#past)
    this.#past.allocations = 0
    new Uint8Array(this.#data.counters).fill(0)
    for (const answer of this.#questions.values()) answer([])
    this.#questions.clear()
  }

  #recover(reason: unknown, servedMs: number, wasSeated: boolean): void {
    if (servedMs > soundAfterMs) this.#delayMs = restartDelayMs.first
    const inMs = this.#delayMs
    this.#delayMs = Math.min(this.#delayMs * 2, restartDelayMs.longest)
    const why = reason instanceof Error ? reason.message : String(reason)
    this.#log.error('a shard has died, and its allocations with it', {
      shard: this.engine,
      reason: why,
      restartInMs: inMs,
    })
    const hasLeft = wasSeated ? this.seats?.left(this) : undefined
    this.#restart = setTimeout(async () => {
      await hasLeft
      if (this.#isClosing) return
      try {
        await this.start()
        this.seats?.returned(this)
        this.#log.warn('the shard serves again', { shard: this.engine })
      } catch (error) {
        if (!this.#isClosing) this.#recover(error, 0, false)
      }
    }, inMs)
  }

  /** An empty answer if the thread is not there, or ends before it has answered. */
  #ask(message: (question: number) => ToThread): Promise<readonly AllocationRecord[]> {
    if (this.#ready === undefined) return Promise.resolve([])
    const question = this.#nextQuestion++
    return new Promise((resolve) => {
      this.#questions.set(question, resolve)
      this.#tell(message(question))
    })
  }

  #answered(question: number, answer: readonly AllocationRecord[]): void {
    this.#questions.get(question)?.(answer)
    this.#questions.delete(question)
  }

  #tell(message: ToThread): void {
    this.#worker?.postMessage(pack(message))
    this.#wakeUp()
  }

  #wakeUp(): void {
    if (this.#ready?.wakeUp !== undefined) writeSync(this.#ready.wakeUp, one)
  }
}
