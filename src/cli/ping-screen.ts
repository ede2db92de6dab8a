/** The table of `turnpike ping`, and what the last pings of each server looked like. */

import type { PingReport, PingServerReport } from '../probe/ping.ts'
import { wordsOf } from './reason-words.ts'
import type { Block, Cell } from './screen/blocks.ts'

const bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇']
const longestName = 24

export function pingScreen(
  report: PingReport,
  { verbose }: { readonly verbose: boolean } = { verbose: false },
): Block[] {
  const { servers, durationMs } = report
  const answering = servers.filter(({ received }) => received > 0)
  const mark = answering.length === servers.length ? 'ok' : answering.length > 0 ? 'unknown' : 'failed'
  return [
    { type: 'title', left: `turnpike ping · ${(durationMs / 1000).toFixed(0)} s` },
    { type: 'verdict', mark, sentences: [summaryOf(report)] },
    {
      type: 'table',
      name: 'server',
      columns: ['Server', 'Sent', 'Loss', 'Last ms', 'Avg', 'p95', 'Jitter'],
      right: [1, 2, 3, 4, 5, 6],
      rows: servers.map(({ uri, sent, loss, lastMs, avgMs, p95Ms, jitterMs }): Cell[] => [
        shortened(uri),
        `${sent}`,
        loss === null ? '–' : `${Math.round(loss * 1000) / 10} %`,
        ...[lastMs, avgMs, p95Ms, jitterMs].map((ms) => (ms === null ? '–' : ms.toFixed(1))),
      ]),
    },
    { type: 'drawing', lines: servers.map(historyOf) },
    ...(verbose ? [addressTable(servers)] : []),
    ...failuresOf(servers),
  ]
}

function addressTable(servers: readonly PingServerReport[]): Block {
  const text = (ms: number | null) => (ms === null ? '–' : ms.toFixed(1))
  return {
    type: 'table',
    name: 'address',
    columns: ['Address', 'By', 'Received', 'Min ms', 'p50', 'Max'],
    right: [2, 3, 4, 5],
    rows: servers.map(({ uri, address, transport, received, minMs, p50Ms, maxMs }): Cell[] => [
      address ?? `none for ${uri}`,
      transport,
      `${received}`,
      ...[minMs, p50Ms, maxMs].map(text),
    ]),
  }
}

function summaryOf({ servers }: PingReport): string {
  const answering = servers.filter(({ received }) => received > 0)
  const best = answering.toSorted((x, y) => x.avgMs! - y.avgMs!)[0]
  if (best === undefined) return servers.length === 1 ? 'It does not answer.' : 'None of them answers.'
  if (servers.length === 1) return `It answers in ${best.avgMs!.toFixed(1)} ms.`
  const all =
    answering.length === servers.length ? 'All answer' : `${answering.length} of ${servers.length} answer`
  return `${all}; the nearest is ${best.uri}, ${best.avgMs!.toFixed(1)} ms away.`
}

function shortened(uri: string): string {
  return uri.length <= longestName ? uri : `${uri.slice(0, longestName - 1)}…`
}

/** Heights between the least and the most of what is shown. */
function historyOf({ uri, history }: PingServerReport): string {
  const known = history.filter((one) => one !== null)
  const [least, most] = [Math.min(...known), Math.max(...known)]
  const bar = (ms: number) => bars[most === least ? 0 : Math.round(((ms - least) / (most - least)) * 6)]!
  const line = history.map((ms) => (ms === null ? '✗' : bar(ms))).join('')
  return `${shortened(uri).padEnd(longestName)}   ${line}`
}

function failuresOf(servers: readonly PingServerReport[]): Block[] {
  const problems = servers.flatMap(({ uri, failure, received }) =>
    failure === null && received > 0
      ? []
      : [
          {
            mark: 'failed' as const,
            text: `${uri}: ${failure === null ? 'no answer' : wordsOf(failure)}`,
          },
        ],
  )
  return problems.length === 0 ? [] : [{ type: 'problems', problems }]
}
