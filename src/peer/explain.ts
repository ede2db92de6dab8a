/** Why two peers have not connected, in words: the state, each pair with what became of it, each server that failed. */

import type { CandidateDescription } from '../ice/candidate.ts'
import type { PairSummary } from '../ice/outputs.ts'
import type { ServerFailure } from './ice-session.ts'

export interface ConnectionReport {
  readonly state: string
  readonly pairs: readonly PairSummary[]
  readonly serverFailures: readonly ServerFailure[]
  readonly localCandidates: number
  readonly remoteCandidates: number
}

/** Several lines, the conclusion first. */
export function explain(report: ConnectionReport): string {
  const lines = [conclusion(report)]
  for (const { url, reason } of report.serverFailures) lines.push(`  ${url}: ${reason}`)
  for (const pair of report.pairs) lines.push(`  ${describePair(pair)}`)
  return lines.join('\n')
}

function conclusion({ state, pairs, localCandidates, remoteCandidates }: ConnectionReport): string {
  if (localCandidates === 0) return `${state}: this side has no candidate to connect from`
  if (remoteCandidates === 0) return `${state}: the peer has signalled no candidate`
  const succeeded = pairs.filter((pair) => pair.state === 'succeeded').length
  return `${state}: ${succeeded} of ${pairs.length} candidate pairs answered`
}

function describePair({ local, remote, state, failure, failureDetail, rttMs }: PairSummary): string {
  const result =
    failure !== undefined
      ? `${failure}${failureDetail === undefined ? '' : ` (${failureDetail})`}`
      : rttMs === undefined
        ? state
        : `${state}, ${rttMs.toFixed(1)} ms`
  return `${describe(local)} -> ${describe(remote)}: ${result}`
}

function describe({ type, protocol, address }: CandidateDescription): string {
  const text = 'name' in address ? `${address.name}:${address.port}` : address.toString()
  return `${type} ${protocol === 'tcp' ? 'tcp ' : ''}${text}`
}
