/** A server without traffic: it waits, and takes next to nothing of a processor. */

import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { libcFor } from '../support/libc.ts'
import { startTurnpike } from '../support/programs.ts'
import { UdpTurnClient } from '../support/udp-turn-client.ts'

/** How long to look at a time, and how often: what a server does when it has just begun to serve comes to an end. */
const watchedMs = 4000
const looks = 12

/** Of a core. */
const limit = 0.01

/** Linux counts in hundredths of a second for whoever reads /proc. */
const ticksPerSecond = 100

/** User and system time of a process, all threads of it. */
function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Of one core, over the next seconds. */
async function share(pid: number): Promise<number> {
  const [before, start] = [processorSeconds(pid), performance.now()]
  await pause(watchedMs)
  return (processorSeconds(pid) - before) / ((performance.now() - start) / 1000)
}

async function idleShare(io: string, workers: number, ...flags: string[]): Promise<number> {
  const server = await startTurnpike(['--user', 'alice:a', '--io', io, '--workers', `${workers}`, ...flags])
  const clients: UdpTurnClient[] = []
  for (let i = 0; i < 8; i++) {
    const client = await UdpTurnClient.open(TransportAddress.of('127.0.0.1', server.port))
    clients.push(client)
    await client.allocate()
  }
  let least = Number.POSITIVE_INFINITY
  for (let look = 0; look < looks && least >= limit; look++)
    least = Math.min(least, await share(server.process.pid!))
  for (const client of clients) client.close()
  await server.stop()
  return least
}

describe.skipIf(typeof libcFor('idle servers') === 'string')('Idle servers', () => {
  it('use under one hundredth of a core each, whatever the driver and the number of workers', async () => {
    const servers = [
      ['mmsg', 1],
      ['mmsg', 4],
      ['dgram', 1],
      ['mmsg', 1, '--listen', 'tcp://127.0.0.1:0'],
    ] as const
    const shares = await Promise.all(
      servers.map(([io, workers, ...flags]) => idleShare(io, workers, ...flags)),
    )
    for (const [i, used] of shares.entries()) expect(used, servers[i]!.join(' ')).toBeLessThan(limit)
  }, 300_000)
})
