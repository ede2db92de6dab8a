/** Servers in turns under one load, round by round; a first one, which is shorter, is not counted unless one is all there are. */

import type { PinnedServer } from '../support/servers.ts'
import { measure, type Sample } from './measure.ts'
import type { Load } from './scenarios.ts'

export type Samples = ReadonlyMap<string, readonly Sample[]>

interface Turn {
  readonly name: string
  /** What is different of its load. */
  readonly load?: Partial<Load>
  readonly start: () => Promise<PinnedServer>
}

/** Samples by server; one that cannot carry the load is left out, and it is said why. */
export async function compare(turns: readonly Turn[], load: Load, rounds: number): Promise<Samples> {
  const samples = new Map<string, Sample[]>()
  const failed = new Set<string>()
  for (let round = rounds === 1 ? 1 : 0; round <= rounds; round++) {
    const shown = round === 0 ? { ...load, seconds: load.seconds / 2 } : load
    for (const { name, start, load: own } of turns) {
      if (failed.has(name)) continue
      try {
        const sample = await measure(start, { ...shown, ...own })
        if (round > 0) samples.set(name, [...(samples.get(name) ?? []), sample])
      } catch (error) {
        failed.add(name)
        process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`)
      }
    }
  }
  return samples
}
