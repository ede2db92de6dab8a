/** What a load has shown. `null` stands for what is not known or was not asked for, `schema` for this shape of it. */

import type { LoadProblem } from './diagnosis.ts'
import type { LatencySummary } from './latency.ts'
import type { LoadDirection } from './plan.ts'
import type { WayCount } from './traffic.ts'

export interface LoadReport {
  readonly schema: 'turnpike.load/1'
  readonly tool: string
  /** ISO 8601, UTC: when it began. */
  readonly time: string
  readonly durationMs: number
  readonly server: {
    readonly uri: string
    readonly address: string
    readonly transport: 'udp' | 'tcp' | 'tls'
  }
  readonly plan: {
    readonly flows: number
    readonly size: number
    /** `null`: as many as come back. */
    readonly rate: number | null
    readonly direction: LoadDirection
    readonly interleave: boolean
    /** 0: allocations only. */
    readonly seconds: number
  }
  /** How this machine has sent, and why not better. */
  readonly io: { readonly driver: string; readonly because: string | null }
  readonly allocations: AllocationReport
  readonly traffic: TrafficReport | null
  readonly process: ProcessReport | null
  readonly problems: readonly LoadProblem[]
  /** It was ended before its time. */
  readonly isPartial: boolean
}

export interface AllocationReport {
  readonly made: number
  /** For all of them, with their channels. */
  readonly seconds: number
  readonly perSecond: number
  /** How many took longer than a retransmission. */
  readonly repeated: number
  /** Gone while they were in use. */
  readonly lost: number
}

export interface TrafficReport {
  readonly seconds: number
  readonly up: WayReport | null
  readonly down: WayReport | null
  readonly packetsPerSecond: number
  /** Of what was sent, 0 to 1. */
  readonly loss: number
  readonly latencyMs: LatencySummary | null
}

export interface WayReport extends WayCount {
  readonly loss: number
}

export interface ProcessReport {
  readonly pid: number
  readonly cpuSeconds: number | null
  readonly cpuMicrosecondsPerPacket: number | null
  readonly packetsPerCpuSecond: number | null
  readonly residentBytes: number | null
  readonly bytesPerAllocation: number | null
}
