/** The memory that all shards of a server keep their common limits in. */

import { type Random, randomUint32 } from '../core/random.ts'
import { ticketKeyBytes } from '../turn/mobility-ticket.ts'
import type { ServerLimits } from '../turn/options.ts'
import type { PortRange } from '../turn/relay-address.ts'
import { numbersPerRate, prefixBudgets, type SharedState } from '../turn/shared-state.ts'
import { rateSlots } from './quota-ledger.ts'

export function newSharedState(
  limits: ServerLimits,
  relays: number,
  { min, max }: PortRange,
  random: Random,
): SharedState {
  const users = limits.userMaxBytesPerSecond > 0 ? rateSlots : 0
  return {
    prefixes: sharedNumbers(prefixBudgets),
    prefixSeed: randomUint32(random),
    rates: sharedNumbers((1 + users) * numbersPerRate),
    relayPorts: Array.from({ length: relays }, () => ({
      owners: new Uint8Array(new SharedArrayBuffer(max - min + 1)),
      taken: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
    })),
    ticketKeys: random.bytes(ticketKeyBytes),
  }
}

function sharedNumbers(count: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT))
}
