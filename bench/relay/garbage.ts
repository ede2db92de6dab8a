/** Garbage collections of a server while packets pass: what `node --trace-gc` says, by thread. */

import { startTurnpike } from './contenders.ts'
import { loadServer } from './measure.ts'
import type { Load } from './scenarios.ts'

export interface Collections {
  readonly scavenges: number
  readonly full: number
  readonly milliseconds: number
}

export interface GarbageCount {
  readonly packets: number
  /** The thread that relays. */
  readonly relayThread: Collections
  readonly otherThreads: Collections
}

/** `[pid:isolate] 123 ms: Scavenge 2.1 (3.0) -> 1.2 (3.0) MB, pooled: 0.0 MB, 0.52 / 0.00 ms …` */
const line =
  /^\[\d+:(0x[0-9a-f]+)\]\s+\d+ ms: (Scavenge|[A-Za-z -]*Mark-Compact)[^\n]*?, ([\d.]+) \/ [\d.]+ ms/gm

export async function countCollections(load: Load): Promise<GarbageCount> {
  const server = await startTurnpike('mmsg', 1, ['--trace-gc'])
  let from = 0
  let main: string | undefined
  try {
    const { packets } = await loadServer(server, load, () => {
      from = server.output().length
      // The main thread is the first that there is.
      main = [...server.output().matchAll(line)][0]?.[1]
    })
    const found = [...server.output().slice(from).matchAll(line)]
    return {
      packets,
      relayThread: sumOf(found.filter(([, isolate]) => isolate !== main)),
      otherThreads: sumOf(found.filter(([, isolate]) => isolate === main)),
    }
  } finally {
    await server.stop()
  }
}

function sumOf(lines: readonly RegExpExecArray[]): Collections {
  const scavenges = lines.filter(([, , kind]) => kind === 'Scavenge').length
  const milliseconds = lines.reduce((sum, [, , , taken]) => sum + Number(taken), 0)
  return { scavenges, full: lines.length - scavenges, milliseconds: Math.round(milliseconds * 10) / 10 }
}
