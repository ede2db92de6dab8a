/** `--require`: what has to hold, by name or as a threshold such as `rtt<80ms`, `loss<1%`, `cert>14d`. */

import { InvalidArgumentError, Option } from 'commander'
import type { CheckReport, TransportReport } from '../probe/check/report.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'

export type Threshold = 'rtt' | 'loss' | 'cert'

export interface Requirement<Name extends string> {
  readonly text: string
  readonly name: Name | Threshold
  /** Of a threshold: milliseconds, per cent or days. */
  readonly limit: number
}

const thresholds: Readonly<Record<Threshold, RegExp>> = {
  rtt: /^rtt<(\d+(?:\.\d+)?)ms$/,
  loss: /^loss<(\d+(?:\.\d+)?)%$/,
  cert: /^cert>(\d+)d$/,
}
const examples: Readonly<Record<Threshold, string>> = { rtt: 'rtt<80ms', loss: 'loss<1%', cert: 'cert>14d' }

/** `of`: of what or whom they hold. */
export function requireOption(names: readonly string[], allowed: readonly Threshold[], of = ''): Option {
  return new Option(
    '--require <list>',
    `exit 1 unless these hold${of}: ${listRequirements(names, allowed)}`,
  ).argParser(parseRequirements(names, allowed))
}

/** What may be required, as it stands in a help text. */
function listRequirements(names: readonly string[], allowed: readonly Threshold[]): string {
  return [...names, ...allowed.map((name) => examples[name])].join(', ')
}

export function parseRequirements<Name extends string>(
  names: readonly Name[],
  allowed: readonly Threshold[],
): (text: string) => readonly Requirement<Name>[] {
  return (text) =>
    text.split(',').map((one) => {
      const trimmed = one.trim()
      const name = names.find((known) => known === trimmed)
      if (name !== undefined) return { text: trimmed, name, limit: 0 }
      for (const threshold of allowed) {
        const match = thresholds[threshold].exec(trimmed)
        if (match !== null) return { text: trimmed, name: threshold, limit: Number(match[1]) }
      }
      throw new InvalidArgumentError(
        `${JSON.stringify(trimmed)} is none of ${listRequirements(names, allowed)}`,
      )
    })
}

/** The first that does not hold fails; one that is not known makes it inconclusive. */
export function judgeRequirements(results: readonly (boolean | null)[]): ExitCode {
  if (results.includes(false)) return exitCodes.failed
  return results.includes(null) ? exitCodes.inconclusive : exitCodes.success
}

export const checkRequirements = ['turn-udp', 'turn-tcp', 'turn-tls', 'turn-tls443', 'ipv6'] as const
export type CheckRequirement = (typeof checkRequirements)[number]

/** Whether it holds of what a check has found; null where that is not known. */
export function holdsOfCheck(
  { name, limit }: Requirement<CheckRequirement>,
  { transports }: CheckReport,
): boolean | null {
  const any = (holds: (one: TransportReport) => boolean) => somewhere(transports.filter(holds))
  switch (name) {
    case 'turn-udp':
      return any(({ transport }) => transport === 'udp')
    case 'turn-tcp':
      return any(({ transport }) => transport === 'tcp')
    case 'turn-tls':
      return any(({ transport }) => transport === 'tls')
    case 'turn-tls443':
      return any(({ transport, port }) => transport === 'tls' && port === 443)
    case 'ipv6':
      return transports.some(({ relayed }) => relayed.IPv6 !== null)
    case 'rtt':
      return ofNamed(transports, ({ echo }) => echo && echo.p50Ms !== null && echo.p50Ms < limit)
    case 'loss':
      return ofNamed(transports, ({ echo }) => echo && echo.loss !== null && echo.loss * 100 < limit)
    case 'cert':
      return ofNamed(transports, ({ certificate }) => certificate && certificate.daysLeft > limit, true)
  }
}

function somewhere(transports: readonly TransportReport[]): boolean | null {
  if (transports.some(({ ok }) => ok === true)) return true
  const isOpen = transports.some(({ ok, problems }) => ok === null && problems.length > 0)
  return isOpen ? null : false
}

/** Of all that were named and have it; `orElse`: the others stand in where no named one has it. */
function ofNamed(
  transports: readonly TransportReport[],
  holds: (one: TransportReport) => boolean | null,
  orElse = false,
): boolean | null {
  const of = (some: readonly TransportReport[]) => some.map(holds).filter((one) => one !== null)
  const named = of(transports.filter(({ isNamed }) => isNamed))
  const known = named.length > 0 || !orElse ? named : of(transports)
  return known.length === 0 ? null : known.every(Boolean)
}
