/** Two sides in the middle of something: what the rules for every session look at. */

import type { WireRecord } from './ice-record.ts'
import type { IceSide, IceWorld } from './ice-world.ts'

/** Two sides, whatever they have been through. */
export interface Pair {
  readonly world: IceWorld
  readonly sides: readonly [IceSide, IceSide]
}

export interface Session extends Pair {
  readonly wire: WireRecord
  /** When both were told of each other. */
  readonly start: number
  /** Lines lose packets all the time. */
  readonly isLossy: boolean
  /** Of all that had happened when `again` is done with the same. */
  readonly transcriptHash: string
  /** The same from the beginning, with the same seed. */
  again(): Promise<{ readonly transcriptHash: string }>
}

/** Whether the two have a path; without one there is no data and no consent. */
export function isConnected({ sides }: Pair): boolean {
  return sides.every(({ selected }) => selected !== undefined)
}
