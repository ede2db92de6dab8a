/** A whole load: allocations, traffic, and all of it freed again; what is known so far when it is aborted. */

import type { Clock } from '../core/host.ts'
import { later } from '../core/time.ts'
import { diagnose, type LoadProblem } from './diagnosis.ts'
import type { LoadMachine } from './machine.ts'
import type { LoadPlan } from './plan.ts'
import type { AllocationReport, LoadReport, ProcessReport, TrafficReport, WayReport } from './report.ts'
import type { ServerProcess } from './server-process.ts'
import { LoadSession, type SessionOptions } from './session.ts'
import type { TrafficResult, WayCount } from './traffic.ts'

export interface LoadOptions extends SessionOptions {
  /** As it was named. */
  readonly uri: string
  readonly plan: LoadPlan
  /** The server's, if it runs on this machine. */
  readonly process?: ServerProcess | undefined
  readonly tool: string
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

export type LoadProgress =
  | { readonly step: 'allocating'; readonly done: number; readonly of: number }
  | { readonly step: 'sending'; readonly seconds: number; readonly sent: number; readonly received: number }
  | { readonly step: 'freeing'; readonly left: number }

const progressEveryMs = 200

/** What the server or the network does is in the report. Rejects when this machine has no socket for the peer. */
export async function runLoad(machine: LoadMachine, options: LoadOptions): Promise<LoadReport> {
  const { plan, server, signal, onProgress = () => {} } = options
  const { clock } = machine.host
  const startedAt = clock.now()
  const time = new Date(clock.epochSeconds() * 1000).toISOString()
  const session = new LoadSession(machine, options)
  const cost = new Cost(options.process)
  const abort = () => session.abort()
  if (signal?.aborted === true) abort()
  signal?.addEventListener('abort', abort)
  const stopTelling = every(progressEveryMs, clock, () => onProgress(progressOf(session, plan)))
  try {
    const { seconds, repeated, fault } = await session.open(plan.flows)
    const made = session.ready
    cost.allocated(made)
    let sent: TrafficResult | undefined
    if (plan.seconds > 0 && fault === undefined && signal?.aborted !== true) {
      cost.sending()
      sent = await session.send(plan)
      cost.sent(sent.up.received + sent.down.received)
    }
    await session.free()
    const { credentials } = options
    const context = { server, username: credentials?.username, ready: made, wanted: plan.flows }
    const allocations = { made, seconds, perSecond: perSecond(made, seconds), repeated, lost: session.lost }
    const traffic = sent === undefined ? null : trafficOf(sent)
    const isAborted = signal?.aborted === true
    return {
      schema: 'turnpike.load/1',
      tool: options.tool,
      time,
      durationMs: Math.round(clock.now() - startedAt),
      server: { uri: options.uri, address: `${server.address}`, transport: server.transport },
      plan: { ...withoutBurst(plan), rate: plan.rate ?? null, interleave: plan.burst === 1 },
      io: { driver: machine.io, because: machine.because ?? null },
      allocations,
      traffic,
      process: cost.report(),
      problems: [
        ...(fault === undefined ? [] : [diagnose(fault, context)]),
        ...problemsOf(allocations, traffic),
      ],
      isPartial: isAborted || fault !== undefined,
    }
  } finally {
    stopTelling()
    signal?.removeEventListener('abort', abort)
  }
}

function withoutBurst({ flows, size, direction, seconds }: LoadPlan) {
  return { flows, size, direction, seconds }
}

function progressOf(session: LoadSession, { flows }: LoadPlan): LoadProgress {
  const { traffic, left } = session
  if (left !== undefined) return { step: 'freeing', left }
  if (traffic === undefined) return { step: 'allocating', done: session.ready, of: flows }
  return {
    step: 'sending',
    seconds: traffic.elapsedMs / 1000,
    sent: traffic.sent,
    received: traffic.received,
  }
}

/** What the server's process spends on it. */
class Cost {
  readonly #process: ServerProcess | undefined
  readonly #residentBefore: number | undefined
  #resident: number | undefined
  #allocations = 0
  #cpuBefore: number | undefined
  #cpu: number | undefined
  #packets = 0

  constructor(process: ServerProcess | undefined) {
    this.#process = process
    this.#residentBefore = process?.residentBytes()
  }

  allocated(count: number): void {
    this.#allocations = count
    this.#resident = this.#process?.residentBytes()
  }

  sending(): void {
    this.#cpuBefore = this.#process?.cpuSeconds()
  }

  sent(packets: number): void {
    this.#packets = packets
    const now = this.#process?.cpuSeconds()
    this.#cpu = now === undefined || this.#cpuBefore === undefined ? undefined : now - this.#cpuBefore
  }

  report(): ProcessReport | null {
    if (this.#process === undefined) return null
    const [cpu, packets] = [this.#cpu, this.#packets]
    const isKnown = cpu !== undefined && cpu > 0 && packets > 0
    const grown =
      this.#resident === undefined || this.#residentBefore === undefined || this.#allocations === 0
        ? null
        : Math.max(0, this.#resident - this.#residentBefore)
    return {
      pid: this.#process.pid,
      cpuSeconds: cpu ?? null,
      cpuMicrosecondsPerPacket: isKnown ? (cpu * 1e6) / packets : null,
      packetsPerCpuSecond: isKnown ? packets / cpu : null,
      residentBytes: this.#resident ?? null,
      bytesPerAllocation: grown === null ? null : grown / this.#allocations,
    }
  }
}

function trafficOf({ seconds, up, down, latency }: TrafficResult): TrafficReport {
  const sent = up.sent + down.sent
  const received = up.received + down.received
  return {
    seconds,
    up: wayOf(up),
    down: wayOf(down),
    packetsPerSecond: perSecond(received, seconds),
    loss: lossOf({ sent, received }),
    latencyMs: latency ?? null,
  }
}

function wayOf(count: WayCount): WayReport | null {
  return count.sent === 0 ? null : { ...count, loss: lossOf(count) }
}

function lossOf({ sent, received }: WayCount): number {
  return sent === 0 ? 0 : Math.max(0, sent - received) / sent
}

function perSecond(count: number, seconds: number): number {
  return seconds > 0 ? count / seconds : 0
}

/** What has gone wrong although there was a load. */
function problemsOf(
  { made, repeated, lost }: AllocationReport,
  traffic: TrafficReport | null,
): readonly LoadProblem[] {
  const problems: LoadProblem[] = []
  if (repeated > 0) {
    problems.push({
      kind: 'slow',
      code: null,
      text: `${repeated} of ${made} allocations took more than half a second: requests were lost, or held back`,
      cure: 'a limit of answers before credentials does that: turnpike serve --unauthenticated-rate 0',
    })
  }
  if (lost > 0) {
    problems.push({
      kind: 'refused',
      code: null,
      text: `${lost} allocations were gone while they were in use`,
      cure: 'the server was restarted, or has ended them: its log says which',
    })
  }
  if (traffic !== null && traffic.loss === 1) {
    problems.push({
      kind: 'refused',
      code: null,
      text: 'no packet came through, although the allocations stand',
      cure: 'are the relay ports of the server open in every firewall on the way?',
    })
  }
  return problems
}

/** Calls back again and again until the returned function is called. */
function every(milliseconds: number, clock: Clock, callback: () => void): () => void {
  let isOver = false
  let cancel = () => {}
  const arm = () => {
    cancel = clock.schedule(later(clock.now(), milliseconds), () => {
      if (isOver) return
      callback()
      arm()
    })
  }
  arm()
  return () => {
    isOver = true
    cancel()
  }
}
