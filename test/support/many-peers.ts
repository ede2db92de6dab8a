/** Connects pairs of peers one after another and closes them; tells as JSON what is left. `many-peers.ts WARM-UPS PAIRS`. */

import { readdirSync, readlinkSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { PeerConnection } from '../../src/peer/peer-connection.ts'
import { connectPair } from './peer-pair.ts'
import { until } from './until.ts'

export interface ManyPeers {
  readonly connected: number
  /** Before and after them. */
  readonly holdings: readonly [Holdings, Holdings]
}

/** What a process holds on to when nothing is under way. */
export interface Holdings {
  readonly heapBytes: number
  /** What keeps Node running: sockets, timers. */
  readonly resources: readonly string[]
  /** What its descriptors lead to: `socket`, `pipe`, … */
  readonly descriptors: readonly string[]
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const [warmUps, pairs] = process.argv.slice(2).map(Number) as [number, number]

await connect(warmUps)
const before = await holdings()
const connected = await connect(pairs)
const result: ManyPeers = { connected, holdings: [before, await holdings()] }
process.stdout.write(`${JSON.stringify(result)}\n`)

async function connect(count: number): Promise<number> {
  let open = 0
  for (let i = 0; i < count; i++) {
    const pair = await connectPair(() => new PeerConnection())
    if (pair.channels.every(({ readyState }) => readyState === 'open')) open++
    await pair.close()
  }
  return open
}

async function holdings(): Promise<Holdings> {
  // werift lets the timers of what is closed run out, which takes a second or two.
  await until(() => !process.getActiveResourcesInfo().includes('Timeout'), 'the end of the timers')
  collectGarbage()
  return {
    heapBytes: process.memoryUsage().heapUsed,
    resources: process.getActiveResourcesInfo().sort(),
    descriptors: readdirSync('/proc/self/fd').map(kindOf).sort(),
  }
}

/** The descriptor that the folder was read by is gone already. */
function kindOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`).replace(/:.*/, '')
  } catch {
    return 'the folder itself'
  }
}
