/** What `turnpike check --json` prints (docs/schemas/check-1.schema.json). Every null comes with a detail that says why. */

import type { ClientTransport } from '../../turn/socket-numbers.ts'
import type { Problem } from '../report.ts'
import type { RoundTrips } from '../statistics.ts'

export const checkSchema = 'turnpike.check/1'

/** In the order in which they are taken. */
export const stepNames = [
  'resolve',
  'connect',
  'tls',
  'challenge',
  'allocate',
  'allocate-other-family',
  'permission',
  'channel',
  'echo',
  'release',
] as const
export type StepName = (typeof stepNames)[number]

export interface Step {
  readonly step: StepName
  /** null: not known, or of no weight; `detail` says which. */
  readonly ok: boolean | null
  readonly ms: number | null
  /** The STUN error code, where the server gave one. */
  readonly code: number | null
  readonly detail: string | null
}

export interface CertificateReport {
  readonly name: string
  readonly daysLeft: number
  readonly protocol: string
  readonly alpn: string | null
  /** Why it is not valid; null when it is. */
  readonly problem: string | null
}

export interface EchoReport extends RoundTrips {
  /** `relay`: from one allocation to another one; `socket`: from the relay to a UDP socket of this host. */
  readonly by: 'relay' | 'socket'
  readonly payloadBytes: number
}

export interface TransportReport {
  /** The URI that this belongs to. */
  readonly uri: string
  readonly transport: ClientTransport
  /** With the port; null when the name has no address. */
  readonly address: string | null
  readonly port: number
  /** The URI means it; the others are the usual places, where a server may be or not. */
  readonly isNamed: boolean
  readonly ok: boolean | null
  readonly steps: readonly Step[]
  readonly certificate: CertificateReport | null
  /** What the server says that it is. */
  readonly software: string | null
  readonly relayed: { readonly IPv4: string | null; readonly IPv6: string | null }
  readonly echo: EchoReport | null
  readonly problems: readonly Problem[]
}

export interface PolicyFinding {
  /** Such as `loopback`. */
  readonly range: string
  readonly peer: string
  /** null: could not be asked. */
  readonly refused: boolean | null
  readonly detail: string
}

export interface CheckReport {
  readonly schema: typeof checkSchema
  readonly tool: string
  readonly time: string
  readonly durationMs: number
  readonly isPartial: boolean
  readonly ok: boolean | null
  readonly summary: string
  readonly transports: readonly TransportReport[]
  /** null unless it was asked for. */
  readonly policy: readonly PolicyFinding[] | null
  /** All of them, those that count first. */
  readonly problems: readonly Problem[]
}

const refusals: readonly string[] = [
  'credentials-missing',
  'credentials-expired',
  'credentials-refused',
  'answers-not-signed',
]

/** The server answers, and does not take what we log in with. */
export function isRefusal({ problems }: TransportReport): boolean {
  return problems.some(({ code }) => refusals.includes(code))
}

const absences: readonly string[] = [
  'name-not-found',
  'no-route',
  'port-closed',
  'no-answer',
  'connection-lost',
]

/** Nothing was heard of a server. */
export function isAbsence({ problems }: TransportReport): boolean {
  return problems.some(({ code }) => absences.includes(code))
}
