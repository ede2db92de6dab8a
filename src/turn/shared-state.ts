/**
 * Memory that several engines write to which serve one set of clients, each in a thread of its own: so that their
 * limits hold for all of them together. Two that write one number at the same instant may lose one of the two writes,
 * which makes a limit a little wider and does no other harm.
 */

import type { PortMemory } from './port-pool.ts'

export interface SharedState {
  /** Of the limiter of unauthenticated answers: `prefixBudgets` numbers, all 0 in the beginning. */
  readonly prefixes: Float64Array
  /** 32 random bits, the same for all. */
  readonly prefixSeed: number
  /** Of the limits of bandwidth, `numbersPerRate` for each slot. The first slot is the server's; others are users'. */
  readonly rates: Float64Array
  /** The ports of each relay address, in the order of the addresses. */
  readonly relayPorts: readonly PortMemory[]
  /** 64 random bytes that mobility tickets are sealed with. */
  readonly ticketKeys: Uint8Array
}

/** How many prefixes are told apart: hosts that share a place share its budget. */
export const prefixBudgets = 1 << 16

/** One for each direction. */
export const numbersPerRate = 2

/** The slot of the rate that all users share. */
export const serverRateSlot = 0
