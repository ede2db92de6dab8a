/** The memory that all shards of a server keep their common limits in. */

import { type Random, randomUint32 } from '../core/random.ts'
import type { ServerLimits } from '../turn/options.ts'
import { numbersPerRate, prefixBudgets, type SharedState } from '../turn/shared-state.ts'
import { rateSlots } from './quota-ledger.ts'

export function newSharedState(limits: ServerLimits, random: Random): SharedState {
  const users = limits.userMaxBytesPerSecond > 0 ? rateSlots : 0
  return {
    prefixes: sharedNumbers(prefixBudgets),
    prefixSeed: randomUint32(random),
    rates: sharedNumbers((1 + users) * numbersPerRate),
  }
}

function sharedNumbers(count: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT))
}
