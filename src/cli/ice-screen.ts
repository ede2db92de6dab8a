/** The screen of `turnpike ice`: how many candidates of which kind, each with its time, and what each server gave. */

import type { CandidateReport, IceReport, IceServerReport } from '../probe/ice.ts'
import type { Figure } from './html/figure.ts'
import { wordsOf } from './reason-words.ts'
import type { Block, Cell } from './screen/blocks.ts'

const types = ['host', 'srflx', 'relay'] as const

export function iceScreen(report: IceReport, { verbose }: { readonly verbose: boolean }): Block[] {
  const { candidates, servers, durationMs, time, isPartial } = report
  const failed = servers.filter(({ error }) => error !== null)
  const count = `${servers.length} server${servers.length === 1 ? '' : 's'}`
  return [
    {
      type: 'title',
      left: `turnpike ice · ${count} · ${(durationMs / 1000).toFixed(1)} s${isPartial ? ' · not finished' : ''}`,
      right: time.replace('T', ' ').slice(0, 16),
    },
    {
      type: 'verdict',
      mark: failed.length > 0 || candidates.length === 0 ? 'failed' : isPartial ? 'unknown' : 'ok',
      sentences: [summaryOf(report)],
    },
    ...(candidates.length === 0 ? [] : [candidateTable(candidates)]),
    ...(candidates.length === 0 || !verbose ? [] : [detailTable(candidates)]),
    ...(servers.length === 0 ? [] : [serverTable(servers)]),
    { type: 'drawing', lines: [], figure: timelineOf(report) },
    { type: 'next', commands: nextOf(failed) },
  ]
}

function summaryOf({ candidates, servers }: IceReport): string {
  const kinds = types.flatMap((type) => {
    const count = candidates.filter((one) => one.type === type).length
    return count === 0 ? [] : [`${count} ${type}`]
  })
  const failed = servers.filter(({ error }) => error !== null).length
  const gathered =
    candidates.length === 0
      ? 'No candidate at all.'
      : `${candidates.length} candidate${candidates.length === 1 ? '' : 's'}: ${kinds.join(', ')}.`
  return failed === 0 ? gathered : `${gathered} ${failed} of ${servers.length} servers failed.`
}

function timelineOf({ candidates, servers }: IceReport): Figure {
  const came = candidates.map(({ type, address, ms, url }) => ({
    label: `${type} ${address}`,
    startMs: 0,
    endMs: ms,
    mark: 'ok' as const,
    text: url ?? `${ms.toFixed(1)} ms`,
  }))
  const failed = servers.flatMap(({ url, error, ms }) =>
    error === null
      ? []
      : [{ label: url, startMs: 0, endMs: ms ?? 0, mark: 'failed' as const, text: wordsOf(error) }],
  )
  return { kind: 'timeline', rows: [...came, ...failed] }
}

function candidateTable(candidates: readonly CandidateReport[]): Block {
  return {
    type: 'table',
    name: 'candidate',
    columns: ['After ms', 'Type', 'By', 'Address', 'From'],
    right: [0],
    rows: candidates.map(({ ms, type, protocol, tcpType, address, url, relayProtocol }): Cell[] => [
      ms.toFixed(1),
      type,
      relayProtocol ?? (tcpType === null ? protocol : `${protocol} ${tcpType}`),
      address,
      url ?? '',
    ]),
  }
}

function detailTable(candidates: readonly CandidateReport[]): Block {
  return {
    type: 'table',
    name: 'detail',
    columns: ['Address', 'Priority', 'Foundation', 'Behind it'],
    rows: candidates.map(({ address, priority, foundation, related }): Cell[] => [
      address,
      priorityOf(priority),
      foundation,
      related ?? '–',
    ]),
  }
}

/** Type preference, local preference, and 256 less the component (RFC 8445 §5.1.2.1). */
function priorityOf(priority: number): string {
  return `${priority >>> 24}|${(priority >>> 8) & 0xffff}|${priority & 0xff}`
}

function serverTable(servers: readonly IceServerReport[]): Block {
  return {
    type: 'table',
    name: 'server',
    columns: ['Server', 'After ms', 'Result'],
    right: [1],
    rows: servers.map((server): Cell[] => [
      server.url,
      server.ms === null ? '–' : server.ms.toFixed(1),
      resultOf(server),
    ]),
  }
}

function resultOf({ candidates, error, code }: IceServerReport): Cell {
  if (error !== null) return { mark: 'failed', text: code === 701 ? `701 ${wordsOf(error)}` : error }
  if (candidates > 0) return { mark: 'ok', text: `${candidates} candidate${candidates === 1 ? '' : 's'}` }
  return { mark: 'ok', text: 'told nothing new: no NAT on the way, or another server was first' }
}

function nextOf(failed: readonly IceServerReport[]): string[] {
  const [first] = failed
  if (first === undefined) return ['turnpike nat stun:…   what becomes of these candidates']
  return [`turnpike ${/^turns?:/.test(first.url) ? 'check' : 'ping'} ${first.url}`]
}
