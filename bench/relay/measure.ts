/** One server under one load: started, loaded from the other core, and stopped. */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { PinnedServer } from '../support/servers.ts'
import type { Load } from './scenarios.ts'

export interface Sample {
  /** Packets that arrived at the far end, per second of the server's processor time. */
  readonly packetsPerCpuSecond: number
  readonly packetsPerSecond: number
  readonly packets: number
  /** Of what was sent, 0 to 1. */
  readonly delivered: number
  /** Microseconds. */
  readonly p50: number
  readonly p99: number
  readonly setUpsPerSecond: number
  /** Of those that came first; 0 where nobody did. */
  readonly firstSetUpsPerSecond: number
  /** Resident memory that the allocations have cost, per allocation. */
  readonly bytesPerAllocation: number
  /** Of the two busiest threads' processor time, what the busier one has used. */
  readonly busierShare: number
}

export const serverCore = 0
const generatorCore = 1

interface Result {
  readonly sent: number
  readonly received: number
  readonly seconds: number
  readonly p50: number
  readonly p99: number
}

export async function measure(start: () => Promise<PinnedServer>, load: Load): Promise<Sample> {
  const server = await start()
  try {
    return await loadServer(server, load)
  } finally {
    await server.stop()
  }
}

/** What the generator's own sockets take, without a server between them. */
export async function measureDirect(load: Load): Promise<Pick<Result, 'p50' | 'p99'>> {
  return generate(9, { ...load, isDirect: true }, { ready: () => {}, begin: () => {}, end: () => {} })
}

export async function loadServer(server: PinnedServer, load: Load, onBegin = () => {}): Promise<Sample> {
  const before = server.residentBytes()
  let setUpSeconds = 0
  let firstSeconds = 0
  let memory = 0
  let cpuBefore = 0
  let threadsBefore: ReadonlyMap<string, number> = new Map()
  let cpu = 0
  let threads: readonly number[] = []
  const result = await generate(server.address.port, load, {
    ready: (seconds, firstOnes) => {
      setUpSeconds = seconds
      firstSeconds = firstOnes
      memory = server.residentBytes()
    },
    begin: () => {
      threadsBefore = server.threadSeconds()
      onBegin()
      cpuBefore = server.cpuSeconds()
    },
    end: () => {
      cpu = server.cpuSeconds() - cpuBefore
      threads = busiest(server.threadSeconds(), threadsBefore)
    },
  })
  return {
    packetsPerCpuSecond: result.received / cpu,
    packetsPerSecond: result.received / result.seconds,
    packets: result.received,
    delivered: result.received / result.sent,
    p50: result.p50,
    p99: result.p99,
    setUpsPerSecond: load.flows / setUpSeconds,
    firstSetUpsPerSecond: load.firstSetUps === undefined ? 0 : load.firstSetUps / firstSeconds,
    bytesPerAllocation: (memory - before) / load.flows,
    busierShare: threads[0]! / (threads[0]! + threads[1]!),
  }
}

/** Seconds between two looks, the busiest thread first. */
function busiest(after: ReadonlyMap<string, number>, before: ReadonlyMap<string, number>): number[] {
  return [...after].map(([thread, seconds]) => seconds - (before.get(thread) ?? 0)).sort((x, y) => y - x)
}

async function generate(
  port: number,
  load: Load,
  on: { ready(setUpSeconds: number, firstSeconds: number): void; begin(): void; end(): void },
): Promise<Result> {
  const script = new URL('generator.ts', import.meta.url).pathname
  const quiet = '--disable-warning=ExperimentalWarning'
  const child = spawn(
    'taskset',
    ['-c', `${generatorCore}`, process.execPath, quiet, script, JSON.stringify({ port, load })],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  let result: Result | undefined
  for await (const line of createInterface(child.stdout!)) {
    const { event, ...fields } = JSON.parse(line)
    if (event === 'set-up') on.ready(fields.seconds, fields.firstSeconds)
    else if (event === 'begin') {
      on.begin()
      child.stdin!.write('\n')
    } else if (event === 'result') {
      on.end()
      result = fields
    }
  }
  if (result === undefined) throw new Error('the load has ended without a result')
  return result
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
