/** A shard's thread as the main thread sees it. */

import { writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { TurnpikeError } from '../../core/errors.ts'
import type { OpenListener } from '../listeners.ts'
import type { Log } from '../log.ts'
import type { QuotaLedger, QuotaMember } from '../quota-ledger.ts'
import type { FromThread, ThreadData, ToThread } from './messages.ts'
import { pack, unpack } from './transfer.ts'

type Ready = Extract<FromThread, { type: 'ready' }>

/** Sources are run as they are, and built ones from dist/. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)

/** What an eventfd is written. */
const one = new Uint8Array(new BigUint64Array([1n]).buffer)

export class ThreadShard {
  readonly #worker: Worker
  readonly #log: Log
  readonly #ledger: QuotaLedger
  readonly #member: QuotaMember
  readonly #ended: Promise<void>
  #ready: Ready | undefined
  #isClosing = false

  constructor(data: ThreadData, log: Log, ledger: QuotaLedger) {
    this.#log = log
    this.#ledger = ledger
    this.#member = ledger.join()
    this.#worker = new Worker(entry, {
      workerData: pack(data),
      // Packets leave no garbage, and requests little: a small young generation stays in the cache, and costs no memory.
      resourceLimits: { maxYoungGenerationSizeMb: 6 },
    })
    this.#ended = new Promise((resolve) => this.#worker.once('exit', () => resolve()))
    this.#worker.once('exit', () => ledger.leave(this.#member))
  }

  get io(): Ready['io'] | undefined {
    return this.#ready?.io
  }

  get ioReason(): string | undefined {
    return this.#ready?.reason
  }

  /** The listeners, when they are open. Rejects with `listen-failed`, or with what the thread has died of. */
  start(): Promise<readonly OpenListener[]> {
    return new Promise((resolve, reject) => {
      this.#worker.on('error', reject)
      this.#worker.on('exit', () => reject(new Error('the thread has ended')))
      this.#worker.on('message', (packed) => {
        const message = unpack<FromThread>(packed)
        switch (message.type) {
          case 'ready':
            this.#ready = message
            resolve(message.listeners)
            return
          case 'failed':
            reject(new TurnpikeError(message.code, message.message))
            return
          case 'claim-quota': {
            const { claim, userId, count } = message
            const decision = this.#ledger.claim(this.#member, userId, count)
            this.#tell({ type: 'quota-decided', claim, userId, count, decision })
            return
          }
          case 'return-quota':
            this.#ledger.giveBack(this.#member, message.userId, message.count)
            return
          case 'log':
            this.#log[message.level](message.message, message.fields)
        }
      })
    })
  }

  async close(): Promise<void> {
    this.#isClosing = true
    this.#tell({ type: 'close' })
    await this.#ended
  }

  get isClosing(): boolean {
    return this.#isClosing
  }

  #tell(message: ToThread): void {
    this.#worker.postMessage(pack(message))
    if (this.#ready?.wakeUp !== undefined) writeSync(this.#ready.wakeUp, one)
  }
}
