/** One server under one load: started, loaded from the other core, and stopped. */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { PinnedServer } from '../support/servers.ts'
import type { Load } from './scenarios.ts'

export interface Sample {
  /** Packets that arrived at the far end, per second of the server's processor time. */
  readonly packetsPerCpuSecond: number
  readonly packetsPerSecond: number
  /** Of what was sent, 0 to 1. */
  readonly delivered: number
  /** Microseconds. */
  readonly p50: number
  readonly p99: number
  readonly setUpsPerSecond: number
  /** Resident memory that the allocations have cost, per allocation. */
  readonly bytesPerAllocation: number
}

const generatorCore = 1

export async function measure(start: () => Promise<PinnedServer>, load: Load): Promise<Sample> {
  const server = await start()
  try {
    return await loadServer(server, load)
  } finally {
    await server.stop()
  }
}

async function loadServer(server: PinnedServer, load: Load): Promise<Sample> {
  const before = server.residentBytes()
  const script = new URL('generator.ts', import.meta.url).pathname
  const parameters = JSON.stringify({ port: server.address.port, load })
  const quiet = '--disable-warning=ExperimentalWarning'
  const child = spawn('taskset', ['-c', `${generatorCore}`, process.execPath, quiet, script, parameters], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let setUpSeconds = 0
  let memory = 0
  let cpuBefore = 0
  let result: { sent: number; received: number; seconds: number; p50: number; p99: number } | undefined
  let cpu = 0
  for await (const line of createInterface(child.stdout!)) {
    const { event, ...fields } = JSON.parse(line)
    if (event === 'set-up') {
      setUpSeconds = fields.seconds
      memory = server.residentBytes()
    } else if (event === 'begin') {
      cpuBefore = server.cpuSeconds()
      child.stdin!.write('\n')
    } else if (event === 'result') {
      cpu = server.cpuSeconds() - cpuBefore
      result = fields
    }
  }
  if (result === undefined) throw new Error(`${server.name}: the load has ended without a result`)
  return {
    packetsPerCpuSecond: result.received / cpu,
    packetsPerSecond: result.received / result.seconds,
    delivered: result.received / result.sent,
    p50: result.p50,
    p99: result.p99,
    setUpsPerSecond: load.flows / setUpSeconds,
    bytesPerAllocation: (memory - before) / load.flows,
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The distance between the quartiles, as a share of the median. */
export function spread(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y)
  const quartile = (share: number) => sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN
  return (quartile(0.75) - quartile(0.25)) / median(values)
}
