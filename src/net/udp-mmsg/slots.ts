/**
 * Where datagrams are received into: one slot each, as long as the longest datagram. The memory of a slot is virtual
 * until something that long has come, so a slot costs a page or two.
 *
 * What stands before the payload is read when the datagram is taken, and is then free: headers of the relayed packet
 * are written there, so that it leaves in one piece.
 */

import type { Arena } from './arena.ts'

/** io_uring writes 16 bytes of its own, name and control data in front of the payload; recvmmsg is told the same places. */
export const slot = {
  ringHeader: 36,
  name: 52,
  nameBytes: 28,
  control: 80,
  controlBytes: 48,
  payload: 128,
  payloadBytes: 65_536,
  /** Zero bytes behind a payload, of a Data indication, go here at the longest. */
  tailBytes: 64,
} as const

/** Not a power of two, so that the fronts of all slots do not compete for the same few cache lines. */
const stride = slot.payload + slot.payloadBytes + slot.tailBytes + 4096 + 64

export function slotArenaBytes(count: number): number {
  return count * stride + 4096
}

export class Slots {
  readonly count: number
  readonly #first: number

  constructor(arena: Arena, count: number) {
    this.count = count
    this.#first = arena.take(count * stride, 4096)
  }

  /** The offset of a slot in the arena. */
  at(index: number): number {
    return this.#first + index * stride
  }
}
