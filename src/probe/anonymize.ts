/** A report without addresses, for showing it in public: each address is numbered, ports and equalities stay. */

import { parseServerUri } from '../stun/uri.ts'
import type { CheckReport } from './check/report.ts'
import type { IceReport } from './ice.ts'
import type { PingReport } from './ping.ts'
import type { Prediction } from './predict.ts'
import type { PunchReport } from './punch.ts'
import type { ProbeReport } from './report.ts'
import type { ThroughputReport } from './throughput.ts'

const dotted = String.raw`\d{1,3}(?:\.\d{1,3}){3}`
const groups = '[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*'
/** In brackets, IPv4, and IPv6 bare: with all groups, or with two colons for some of them. */
const addresses = new RegExp(
  [
    String.raw`\[[0-9a-f:.]*:[0-9a-f:.]*\]`,
    String.raw`(?<![\d.])${dotted}(?![\d.])`,
    String.raw`(?<![\w:.])(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}|(?:${groups})?::(?:${groups})?(?::?${dotted})?)(?!\w|\.\d)`,
  ].join('|'),
  'gi',
)

export function anonymized(report: ProbeReport): ProbeReport {
  // The server's name would tell as much as its address.
  const servers = report.servers.map((server, i) => ({ ...server, uri: `stun:server-${i + 1}` }))
  const problems = report.problems.map((problem) => ({ ...problem, where: 'a server' }))
  const { time, tool } = report
  return { ...hide({ ...report, servers, problems }, []), time, tool }
}

/** As well without the names of the servers and of their certificates. */
export function anonymizedCheck(report: CheckReport): CheckReport {
  const { time, tool, transports, policy } = report
  const names = transports.flatMap(({ uri, certificate }) => [hostOf(uri), certificate?.name ?? ''])
  // What was asked of everybody is no secret.
  return { ...hide({ ...report, policy: null }, names), time, tool, policy }
}

export function anonymizedPrediction(prediction: Prediction): Prediction {
  return { ...hide(prediction, []), schema: prediction.schema }
}

export function anonymizedPing(report: PingReport): PingReport {
  const { time, tool, servers } = report
  return {
    ...hide(
      report,
      servers.map(({ uri }) => hostOf(uri)),
    ),
    time,
    tool,
  }
}

export function anonymizedIce(report: IceReport): IceReport {
  const { time, tool, servers } = report
  return {
    ...hide(
      report,
      servers.map(({ url }) => hostOf(url)),
    ),
    time,
    tool,
  }
}

export function anonymizedPunch(report: PunchReport): PunchReport {
  return { ...hide(report, []), schema: report.schema }
}

export function anonymizedThroughput(report: ThroughputReport): ThroughputReport {
  return { ...hide(report, [hostOf(report.server)]), tool: report.tool }
}

/** What `turnpike selftest` has found; `names` are of other machines. As well without the names of certificates. */
export function anonymizedFindings<Finding extends { readonly what: string }>(
  findings: readonly Finding[],
  names: readonly string[],
): readonly Finding[] {
  const certified = findings.flatMap(({ what }) =>
    [...what.matchAll(/(?:DNS:|CN=)([^\s,)]+)/g)].map(([, name]) => name!),
  )
  return hide(findings, [...names, ...certified])
}

function hostOf(uri: string): string {
  return parseServerUri(uri).host
}

function hide<Report>(report: Report, names: readonly string[]): Report {
  const numbers = new Map<string, string>()
  const numbered = (kind: string, text: string): string => {
    const name = numbers.get(text) ?? `${kind}-${numbers.size + 1}`
    numbers.set(text, name)
    return name
  }
  // The longest first, for one may be the end of another.
  const secret = [...new Set(names)]
    .filter((name) => name !== '' && !isAddress(name))
    .sort((x, y) => y.length - x.length)
  const hidden = (text: string): string => {
    const named = secret.reduce((rest, name) => rest.replaceAll(name, numbered('server', name)), text)
    return named.replace(addresses, (address) => numbered('address', address))
  }
  const copy = (value: unknown): unknown => {
    if (typeof value === 'string') return hidden(value)
    if (Array.isArray(value)) return value.map(copy)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copy(inner)]))
  }
  return copy(report) as Report
}

function isAddress(name: string): boolean {
  return name.search(addresses) === 0 || name.includes(':')
}
