/** A report without addresses, for showing it in public: each address is numbered, ports and equalities stay. */

import type { ProbeReport } from './report.ts'

const addresses = /\[[0-9a-f:.]+\](?=:\d)|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/gi

export function anonymized(report: ProbeReport): ProbeReport {
  const numbers = new Map<string, string>()
  const hidden = (text: string): string =>
    text.replace(addresses, (address) => {
      const name = numbers.get(address) ?? `address-${numbers.size + 1}`
      numbers.set(address, name)
      return name
    })
  const copy = (value: unknown): unknown => {
    if (typeof value === 'string') return hidden(value)
    if (Array.isArray(value)) return value.map(copy)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copy(inner)]))
  }
  // The server's name would tell as much as its address.
  const servers = report.servers.map((server, i) => ({ ...server, uri: `stun:server-${i + 1}` }))
  const problems = report.problems.map((problem) => ({ ...problem, where: 'a server' }))
  const { time, tool } = report
  return { ...(copy({ ...report, servers, problems }) as ProbeReport), time, tool }
}
