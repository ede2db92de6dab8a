/** What `turnpike nat` finds out, as it is written with --json: docs/schemas/nat-1.schema.json. */

import type { Filtering, Finding, LegacyName, Mapping, Narrowed } from './behavior.ts'

export const natSchema = 'turnpike.nat/1'

/** What the mapping was concluded from. */
export type Vantage = 'rfc5780' | 'two-servers' | 'two-ports' | 'turn' | 'one-address'

export interface MappingReport extends Narrowed<Mapping> {
  readonly vantage: Vantage
  readonly observations: readonly {
    readonly destination: string
    readonly mapped: string
    readonly rttMs: number | null
    readonly tries: number
  }[]
}

/** The controls that a filtering answer rests on; null where one was not needed or not possible. */
export interface FilteringControls {
  /** The alternate addresses answer when they are asked directly. */
  readonly alternatesAnswer: boolean | null
  /** Answers came from the address that they were asked to come from. */
  readonly sourceChecked: boolean | null
  /** After the silence the socket still had its answers, by the same mapping. */
  readonly stillAlive: boolean | null
  /** The server does as CHANGE-REQUEST says where nothing can filter the answer. */
  readonly changeRequestHonoured: boolean | null
}

export interface FilteringReport extends Narrowed<Filtering> {
  readonly controls: FilteringControls
}

export interface HairpinReport extends Finding<boolean> {
  /** What an inner host sees as the source (RFC 4787 §6). */
  readonly source: 'external' | 'internal' | null
}

export interface NatReport {
  readonly mapping: MappingReport
  readonly filtering: FilteringReport
  /** An unasked packet from outside changes the mapping toward its sender. */
  readonly inboundPoisonsMapping: Finding<boolean>
  readonly portPreserved: Finding<boolean>
  readonly parity: Finding<boolean>
  readonly contiguity: Finding<boolean>
  readonly allocation: Finding<'preserved' | 'sequential' | 'random'> & { readonly delta: number | null }
  /** Public addresses seen; there may be more. */
  readonly publicIps: number
  readonly alg: Finding<boolean>
  readonly fragments: Finding<boolean>
  readonly hairpin: HairpinReport
  /** NATs in a row; likely, never certain. */
  readonly layers: Finding<number>
}

export interface FamilyReport {
  readonly reachable: Finding<boolean>
  readonly local: string | null
  readonly mapped: readonly string[]
  /** Whether our address is the one that servers see. */
  readonly isDirect: Finding<boolean>
  readonly rttMs: number | null
  /** undefined for TCP beyond its mapping, and where nothing answers. */
  readonly nat: NatReport | null
}

export type FamilyName = 'udp4' | 'udp6' | 'tcp4' | 'tcp6'

export interface ServerReport {
  readonly uri: string
  readonly address: string | null
  readonly rfc5780: Finding<boolean>
  readonly other: string | null
  readonly rttMs: number | null
}

export interface Problem {
  readonly code: string
  readonly severity: 'error' | 'warning'
  readonly where: string
  readonly what: string
  readonly fix: string
}

export interface Verdict {
  readonly direct: 'likely' | 'unlikely' | 'no' | 'unknown'
  readonly legacy: LegacyName | null
  readonly nat: 'NAT1' | 'NAT2' | 'NAT3' | 'NAT4' | null
  readonly summary: string
  readonly reasons: readonly string[]
}

export interface ProbeReport {
  readonly schema: typeof natSchema
  readonly tool: string
  /** ISO 8601, UTC. */
  readonly time: string
  readonly durationMs: number
  /** Ended before it was through. */
  readonly isPartial: boolean
  readonly verdict: Verdict
  readonly families: Partial<Record<FamilyName, FamilyReport>>
  readonly servers: readonly ServerReport[]
  readonly problems: readonly Problem[]
}
