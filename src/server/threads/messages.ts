/** What a shard's thread and the main thread say to each other. */

import type { ErrorCode } from '../../core/errors.ts'
import type { QuotaDecision } from '../../turn/quota-claims.ts'
import type { ServeConfig } from '../config.ts'
import type { Surroundings } from '../engine.ts'
import type { IoChoice, IoName } from '../io-config.ts'
import type { OpenListener } from '../listeners.ts'
import type { LogFields, LogLevel } from '../log.ts'

/** What a thread is started with; packed (see transfer.ts). */
export interface ThreadData {
  /** Only its UDP listeners are the thread's. */
  readonly config: ServeConfig
  readonly around: Surroundings
  readonly io: IoChoice
  /** Whether other threads listen on the same addresses. */
  readonly sharesPorts: boolean
  readonly logLevel: LogLevel
  /** The thread's counters, for others to read. */
  readonly counters: SharedArrayBuffer
}

export type FromThread =
  | {
      readonly type: 'ready'
      readonly io: IoName
      /** Why it is not the one that would have been better. */
      readonly reason: string | undefined
      readonly listeners: readonly OpenListener[]
      /** The eventfd to write to after a message: the thread does not look at its messages by itself. */
      readonly wakeUp: number | undefined
    }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'claim-quota'; readonly claim: number; readonly userId: string; readonly count: number }
  | { readonly type: 'return-quota'; readonly userId: string; readonly count: number }
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
  | { readonly type: 'close' }
