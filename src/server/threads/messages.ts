/** What a shard's thread and the main thread say to each other. */

import type { ErrorCode } from '../../core/errors.ts'
import type { AllocationRecord } from '../../turn/allocation.ts'
import type { QuotaDecision } from '../../turn/quota-claims.ts'
import type { FetchAnswer, TransferKey } from '../../turn/transfer-items.ts'
import type { ServeConfig } from '../config.ts'
import type { Surroundings } from '../engine.ts'
import type { IoChoice, IoReport } from '../io-config.ts'
import type { OpenListener } from '../listeners.ts'
import type { LogFields, LogLevel } from '../log.ts'
import type { PartnerInput, PartnerOrder } from '../shard.ts'

/** What a thread is started with; packed (see transfer.ts). */
export interface ThreadData {
  /** Only its UDP listeners are the thread's. */
  readonly config: ServeConfig
  readonly around: Surroundings
  readonly io: IoChoice
  /** Which of the server's engines the thread has. */
  readonly engine: number
  /** Whether other threads listen on the same addresses. */
  readonly sharesPorts: boolean
  readonly logLevel: LogLevel
  /** The thread's counters, for others to read. */
  readonly counters: SharedArrayBuffer
  /** One bit for each file descriptor that the thread has open besides Node's own. */
  readonly descriptors: SharedArrayBuffer
}

export type FromThread =
  | {
      readonly type: 'ready'
      readonly io: IoReport
      readonly listeners: readonly OpenListener[]
      /** The eventfd to write to after a message: the thread does not look at its messages by itself. */
      readonly wakeUp: number | undefined
    }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'claim-quota'; readonly claim: number; readonly userId: string; readonly count: number }
  | { readonly type: 'return-quota'; readonly userId: string; readonly count: number }
  | { readonly type: 'fetch'; readonly id: number; readonly owner: number; readonly key: TransferKey }
  | { readonly type: 'for-partner'; readonly input: PartnerInput }
  | { readonly type: 'reseated'; readonly question: number }
  | { readonly type: 'given'; readonly question: number; readonly answer: FetchAnswer }
  | {
      readonly type: 'allocations'
      readonly question: number
      readonly allocations: readonly AllocationRecord[]
    }
  | {
      readonly type: 'log'
      readonly level: Exclude<LogLevel, 'silent'>
      readonly message: string
      readonly fields: LogFields
    }

export type ToThread =
  | {
      readonly type: 'quota-decided'
      /** These three as they were asked. */
      readonly claim: number
      readonly userId: string
      readonly count: number
      readonly decision: QuotaDecision
    }
  | {
      readonly type: 'give'
      readonly question: number
      readonly key: TransferKey
      readonly engine: number
    }
  | { readonly type: 'fetched'; readonly id: number; readonly answer: FetchAnswer }
  | { readonly type: 'list-allocations'; readonly question: number }
  | { readonly type: 'partner-order'; readonly order: PartnerOrder }
  | { readonly type: 'reseat'; readonly question: number }
  | { readonly type: 'retire' }
  | { readonly type: 'close' }
