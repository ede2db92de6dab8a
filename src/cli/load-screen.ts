/** What `turnpike load` says: before, what it is going to send; afterwards, what became of it. */

import type { LoadProblem } from '../load/diagnosis.ts'
import type { LoadMachine } from '../load/machine.ts'
import { forecastOf, type LoadDirection, type LoadPlan } from '../load/plan.ts'
import type { LoadReport, ProcessReport, TrafficReport, WayReport } from '../load/report.ts'
import type { ResolvedServer } from '../net/resolve-server.ts'
import type { Block, Fact } from './screen/blocks.ts'

const ways: Readonly<Record<LoadDirection, string>> = {
  up: 'from clients to the peer',
  down: 'from the peer to clients',
  both: 'both ways',
}

/** Said before anything is sent. */
export function announcementOf(
  plan: LoadPlan,
  { address, transport }: ResolvedServer,
  { io, because }: Pick<LoadMachine, 'io' | 'because'>,
): string {
  const how = because === undefined ? io : `${io} (${because})`
  return `turnpike load: ${trafficOf(plan)}; to ${address} by ${transport.toUpperCase()}, with ${how}`
}

/** `50 allocations, then 10,000 packets/s of 172 bytes both ways for 10 s (…)`. */
export function trafficOf(plan: LoadPlan): string {
  const { flows, size, rate, direction, seconds } = plan
  const allocations = `${count(flows)} allocation${flows === 1 ? '' : 's'}`
  if (seconds === 0) return `${allocations} and no data`
  const { packets, payloadBytes, bitsPerSecond } = forecastOf(plan)
  const speed = rate === undefined ? 'as many packets as come back' : `${count(rate)} packets/s`
  const begin = `${allocations}, then ${speed} of ${count(size)} bytes ${ways[direction]} for ${count(seconds)} s`
  if (packets === undefined || payloadBytes === undefined || bitsPerSecond === undefined) return begin
  return `${begin} (${count(packets)} packets, ${bytes(payloadBytes)}, ${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s to the server and from it)`
}

export function loadScreen(report: LoadReport): Block[] {
  const { server, durationMs, time, problems, traffic, isPartial } = report
  const partial = isPartial ? ' · not finished' : ''
  const how = server.transport.toUpperCase()
  return [
    {
      type: 'title',
      left: `turnpike load · ${server.address} · ${how} · ${(durationMs / 1000).toFixed(1)} s${partial}`,
      right: time.replace('T', ' ').slice(0, 16),
    },
    verdictOf(report),
    { type: 'facts', facts: factsOf(report) },
    ...(traffic === null ? [] : [wayTable(traffic)]),
    ...(problems.length === 0
      ? []
      : [
          {
            type: 'problems' as const,
            problems: problems.map(({ kind, text, cure }) => ({
              mark: kind === 'slow' ? ('unknown' as const) : ('failed' as const),
              // What has failed first is the verdict: here is what to do about it.
              text: text === faultOf(report)?.text ? cureOf(cure) : `${sentence(text)}. ${cureOf(cure)}`,
            })),
          },
        ]),
  ]
}

function faultOf({ problems }: LoadReport): LoadProblem | undefined {
  return problems.find(({ kind }) => kind !== 'slow')
}

function verdictOf(report: LoadReport): Block {
  const { allocations, traffic, plan } = report
  const fault = faultOf(report)
  if (fault !== undefined) return { type: 'verdict', mark: 'failed', sentences: [`${sentence(fault.text)}.`] }
  if (traffic === null) {
    const { made, perSecond } = allocations
    return {
      type: 'verdict',
      mark: made === plan.flows ? 'ok' : 'unknown',
      sentences: [`${count(made)} of ${count(plan.flows)} allocations stood, ${count(perSecond)} a second.`],
    }
  }
  const lost = traffic.loss === 0 ? 'none was lost' : `${percent(traffic.loss)} of them were lost`
  return {
    type: 'verdict',
    mark: traffic.loss < mentionableLoss ? 'ok' : 'failed',
    sentences: [`${count(traffic.packetsPerSecond)} packets/s came through, ${lost}.`],
  }
}

/** A call with more is a bad one. */
const mentionableLoss = 0.01

function factsOf({ allocations, traffic, process, io, plan }: LoadReport): Fact[] {
  const { made, seconds, perSecond } = allocations
  const latency = traffic?.latencyMs
  return [
    {
      label: 'Allocations',
      value: `${count(made)} of ${count(plan.flows)} with their channels in ${seconds.toFixed(2)} s: ${count(perSecond)} a second`,
    },
    ...(latency == null
      ? []
      : [
          {
            label: 'Latency',
            value: `p50 ${ms(latency.p50)} · p90 ${ms(latency.p90)} · p99 ${ms(latency.p99)} · longest ${ms(latency.longest)}`,
          },
        ]),
    ...(process === null ? [] : processFacts(process)),
    { label: 'Sent by', value: io.because === null ? io.driver : `${io.driver}: ${io.because}` },
  ]
}

function processFacts(process: ProcessReport): Fact[] {
  const { pid, cpuMicrosecondsPerPacket, packetsPerCpuSecond, residentBytes, bytesPerAllocation } = process
  return [
    ...(cpuMicrosecondsPerPacket === null || packetsPerCpuSecond === null
      ? []
      : [
          {
            label: 'Server CPU',
            value: `${cpuMicrosecondsPerPacket.toFixed(2)} µs a packet: ${count(packetsPerCpuSecond)} packets per CPU second`,
          },
        ]),
    {
      label: 'Server memory',
      value:
        residentBytes === null || bytesPerAllocation === null
          ? { mark: 'unknown', text: `process ${pid} does not tell` }
          : `${bytes(residentBytes)}, ${(bytesPerAllocation / 1024).toFixed(1)} KiB an allocation`,
    },
  ]
}

function wayTable({ up, down }: TrafficReport): Block {
  const rows: readonly (readonly [string, WayReport | null])[] = [
    ['clients → peer', up],
    ['peer → clients', down],
  ]
  return {
    type: 'table',
    name: 'way',
    columns: ['Way', 'Sent', 'Received', 'Lost'],
    rows: rows.flatMap(([name, way]) =>
      way === null ? [] : [[name, count(way.sent), count(way.received), percent(way.loss)]],
    ),
    right: [1, 2, 3],
  }
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function percent(share: number): string {
  if (share === 0) return '0 %'
  return share < 0.0001 ? '< 0.01 %' : `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`
}

function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(milliseconds < 10 ? 2 : 0)} ms`
}

function bytes(value: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(value, 1)) / 3))
  return `${(value / 1000 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function cureOf(text: string): string {
  return text.endsWith('?') ? sentence(text) : `${sentence(text)}.`
}
