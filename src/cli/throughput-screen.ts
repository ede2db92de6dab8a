/** What a relay carried: the answer, what limited it, each step, and what to do. */

import {
  type ThroughputEnd,
  type ThroughputReport,
  type ThroughputStep,
  tolerableLoss,
} from '../probe/throughput.ts'
import type { Figure } from './html/figure.ts'
import type { Block, Cell } from './screen/blocks.ts'

const ends: Readonly<Record<ThroughputEnd, string>> = {
  loss: 'packets were lost: the network or the server carries no more',
  client: 'this host could not send faster: the server may carry more',
  plan: 'every step went through: --up-to has it try more',
  interrupted: 'it was interrupted',
}

export function throughputScreen(
  report: ThroughputReport,
  { verbose }: { readonly verbose: boolean } = { verbose: false },
): Block[] {
  const { server, transport, relays, steps, end, failure, plan } = report
  const blocks: Block[] = [
    { type: 'title', left: `turnpike throughput · ${server}`, right: transport ?? '' },
    { type: 'verdict', mark: markOf(report), sentences: [verdictOf(report)] },
  ]
  if (failure === null) {
    blocks.push({
      type: 'facts',
      facts: [
        { label: 'Limited by', value: end === null ? 'not known' : ends[end] },
        { label: 'Relays', value: relays.join(', ') },
        { label: 'Packets', value: `${plan.payloadBytes} bytes, ${plan.secondsPerStep} s a step` },
      ],
    })
  }
  if (relays.length > 0) blocks.push({ type: 'drawing', lines: [], figure: routeOf(report) })
  if (steps.length > 0) {
    blocks.push({
      type: 'table',
      name: 'step',
      columns: ['Mbit/s', 'Sent', 'Goodput', 'Loss', 'p50 ms', 'p95 ms', 'Jitter ms', 'Reordered', ''],
      right: [0, 1, 2, 3, 4, 5, 6, 7],
      rows: steps.map(rowOf),
    })
  }
  if (verbose && steps.length > 0) blocks.push(packetTable(steps))
  if (failure !== null) {
    blocks.push({ type: 'next', commands: [`turnpike check ${server}`] })
  }
  return blocks
}

/** There and back again: to the server, through both relays, and home. */
function routeOf({ server, relays, transport, bestMbits, steps }: ThroughputReport): Figure {
  const best = steps.findLast(({ goodputMbits }) => goodputMbits === bestMbits)
  const p95Ms = best?.roundTrips.p95Ms
  const mark = bestMbits === null ? 'failed' : 'ok'
  return {
    kind: 'route',
    stations: [
      { title: 'you', detail: '' },
      { title: server, detail: '' },
      ...relays.map((relay) => ({ title: relay, detail: 'relayed address' })),
    ],
    links: [
      { label: transport ?? '', mark },
      ...relays.map((_, i) => ({ label: i === 0 ? 'relay' : '', mark }) as const),
    ],
    back:
      bestMbits === null
        ? undefined
        : `${bestMbits.toFixed(1)} Mbit/s${p95Ms == null ? '' : `, p95 ${p95Ms.toFixed(1)} ms`}`,
  }
}

function packetTable(steps: readonly ThroughputStep[]): Block {
  const ms = (value: number | null) => (value === null ? '?' : value.toFixed(1))
  return {
    type: 'table',
    name: 'packets',
    columns: ['Mbit/s', 'Packets', 'Received', 'Min ms', 'Avg ms', 'Max ms'],
    right: [0, 1, 2, 3, 4, 5],
    rows: steps.map(({ targetMbits, roundTrips: { sent, received, minMs, avgMs, maxMs } }): Cell[] => [
      `${targetMbits}`,
      `${sent}`,
      `${received}`,
      ms(minMs),
      ms(avgMs),
      ms(maxMs),
    ]),
  }
}

function rowOf({ targetMbits, sentMbits, goodputMbits, roundTrips, reordered }: ThroughputStep): Cell[] {
  const { loss, p50Ms, p95Ms, jitterMs } = roundTrips
  const text = (value: number | null, digits = 1) => (value === null ? '?' : value.toFixed(digits))
  return [
    `${targetMbits}`,
    text(sentMbits),
    text(goodputMbits),
    loss === null ? '?' : `${(loss * 100).toFixed(1)} %`,
    text(p50Ms),
    text(p95Ms),
    text(jitterMs),
    `${reordered}`,
    { mark: loss === null ? 'unknown' : loss <= tolerableLoss ? 'ok' : 'failed' },
  ]
}

function markOf({ failure, bestMbits, steps }: ThroughputReport): 'ok' | 'failed' | 'unknown' {
  if (failure !== null) return 'failed'
  if (bestMbits !== null) return 'ok'
  return steps.length === 0 ? 'unknown' : 'failed'
}

function verdictOf({ failure, bestMbits, steps }: ThroughputReport): string {
  if (failure !== null) return `Nothing was measured: ${failure.what}.`
  if (bestMbits !== null) {
    const best = steps.findLast(({ goodputMbits }) => goodputMbits === bestMbits)
    const rtt = best?.roundTrips.p95Ms
    return `This relay carries ${bestMbits.toFixed(1)} Mbit/s for one client${rtt == null ? '' : `, 95 % of it within ${rtt.toFixed(1)} ms`}.`
  }
  if (steps.length === 0) return 'It ended before anything was measured.'
  return `This relay loses more than ${tolerableLoss * 100} % at ${steps[0]?.targetMbits} Mbit/s already.`
}

export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  const i = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  return `${i === 0 ? bytes : (bytes / 1000 ** i).toFixed(1)} ${units[i]}`
}
