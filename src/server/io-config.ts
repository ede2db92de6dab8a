/** How packets get in and out, and over how many threads. */

import { availableParallelism } from 'node:os'

/** `mmsg`: batched system calls by node:ffi (Linux); `dgram`: node:dgram, everywhere; `auto`: the best that works. */
export const ioChoices = ['auto', 'mmsg', 'dgram'] as const

export type IoChoice = (typeof ioChoices)[number]
export type IoName = Exclude<IoChoice, 'auto'>

export interface IoConfig {
  readonly io: IoChoice
  /** Threads that serve clients by UDP, each with sockets of its own; 0: one for each processor. */
  readonly workers: number
}

export const defaultIoConfig: IoConfig = { io: 'auto', workers: 1 }

export function workerCount({ workers }: IoConfig): number {
  return workers > 0 ? workers : availableParallelism()
}

/** What a thread took, and what it can do with it. */
export interface IoReport {
  readonly io: IoName
  /** The system calls that it uses. */
  readonly via: string
  /** Why it is not what would have been better. */
  readonly because: string | undefined
}
