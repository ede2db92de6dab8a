/**
 * Can two hosts connect directly, and why: a pure function of what is known of both. Each side's first packet opens its
 * own filter; the question is whether either's packet then finds the other's mapping (RFC 8445 §7 learns it on the way).
 */

import { type Filtering, filterings, type Mapping, mappings } from './behavior.ts'

/** What a prediction looks at; a `ProbeReport` has it all. */
export interface KnownNetwork {
  readonly families: {
    readonly udp4?: KnownFamily | undefined
    readonly udp6?: KnownFamily | undefined
    readonly tcp4?: Pick<KnownFamily, 'reachable'> | undefined
    readonly tcp6?: Pick<KnownFamily, 'reachable'> | undefined
  }
}

export interface KnownFamily {
  readonly reachable: Known<boolean>
  readonly local: string | null
  readonly mapped: readonly string[]
  readonly isDirect: Known<boolean>
  readonly nat: KnownNat | null
}

export interface KnownNat {
  readonly mapping: Known<Mapping> & { readonly possible: readonly Mapping[] }
  readonly filtering: Known<Filtering> & { readonly possible: readonly Filtering[] }
  readonly inboundPoisonsMapping: Known<boolean>
  readonly publicIps: number
  readonly allocation: Known<'preserved' | 'sequential' | 'random'>
  readonly hairpin: Known<boolean>
}

interface Known<Value> {
  readonly value: Value | null
}

export interface Behavior {
  readonly mapping: Mapping
  readonly filtering: Filtering
}

/**
 * Whether ICE can make a pair of the two. Where both mappings depend on the destination it takes one whose answers come
 * from the address that was asked: an answer from another port is none (RFC 8445 §7.2.5.2.1).
 */
export function connects(x: Behavior, y: Behavior): boolean {
  return (reaches(y, x) && answers(x, y)) || (reaches(x, y) && answers(y, x))
}

/** From's packet comes in at to, after to has sent to the address that from is known by. */
function reaches(from: Behavior, to: Behavior): boolean {
  if (to.filtering === 'EIF') return true
  if (to.mapping !== 'EIM') return false
  return to.filtering === 'ADF' || from.mapping === 'EIM'
}

function answers(from: Behavior, to: Behavior): boolean {
  return from.mapping === 'EIM' || to.filtering !== 'APDF'
}

/**
 * Two hosts with a mapping for each destination and port each, whose packets all arrive: plain UDP connects, and ICE
 * does not take the answers.
 */
export function isAsymmetric(x: Behavior, y: Behavior): boolean {
  if (x.mapping !== 'APDM' || y.mapping !== 'APDM') return false
  return connects(x, y)
}

export type Path = 'direct' | 'relay' | 'relay-tcp' | 'none' | 'unknown'

export interface Prediction {
  readonly schema: typeof predictionSchema
  readonly path: Path
  readonly summary: string
  readonly reasons: readonly string[]
}

export const predictionSchema = 'turnpike.predict/1'

/** The kinds of peer that a person may have heard of. */
export const peers = {
  open: { mapping: 'EIM', filtering: 'EIF' },
  fullCone: { mapping: 'EIM', filtering: 'EIF' },
  restricted: { mapping: 'EIM', filtering: 'ADF' },
  portRestricted: { mapping: 'EIM', filtering: 'APDF' },
  symmetric: { mapping: 'APDM', filtering: 'APDF' },
} as const satisfies Record<string, Behavior>

/** All that a family may turn out to be. */
export function possibleBehaviors(family: KnownFamily): readonly Behavior[] {
  const { nat } = family
  if (nat === null) return []
  const maps = nat.mapping.possible.length > 0 ? nat.mapping.possible : mappings
  const filters = nat.filtering.possible.length > 0 ? nat.filtering.possible : filterings
  return maps.flatMap((mapping) => filters.map((filtering) => ({ mapping, filtering })))
}

/** True, false, or null where what is not known decides. */
export function connectsWith(mine: readonly Behavior[], theirs: readonly Behavior[]): boolean | null {
  const results = mine.flatMap((x) => theirs.map((y) => connects(x, y) && !isAsymmetric(x, y)))
  if (results.length === 0) return null
  if (results.every((one) => one)) return true
  return results.every((one) => !one) ? false : null
}

/** What two reports say of each other. */
export function predict(a: KnownNetwork, b: KnownNetwork): Prediction {
  const reasons: string[] = []
  if (bothDirect(a.families.udp6, b.families.udp6)) {
    return prediction('direct', 'These two can connect directly over IPv6.', ['both have IPv6 without a NAT'])
  }
  const [x, y] = [a.families.udp4, b.families.udp4]
  if (x === undefined || y === undefined || x.reachable.value === null || y.reachable.value === null) {
    const side = x === undefined || x.reachable.value === null ? 'the first' : 'the second'
    return prediction('unknown', 'It cannot be told whether these two can connect.', [
      `${side} report does not know whether UDP over IPv4 works`,
    ])
  }
  if (x.reachable.value === false || y.reachable.value === false) return blocked(a, b)
  reasons.push(`first: ${describe(x)}`, `second: ${describe(y)}`)
  if (isSamePublicIp(x, y)) return behindOneNat(x, y, reasons)
  reasons.push(...remarks(x, y))
  const direct = connectsWith(possibleBehaviors(x), possibleBehaviors(y))
  if (direct === null) return prediction('unknown', 'It depends on what the reports do not know.', reasons)
  return direct
    ? prediction('direct', 'These two can connect directly.', reasons)
    : prediction('relay', 'These two need a relay (TURN).', reasons)
}

function prediction(path: Path, summary: string, reasons: readonly string[]): Prediction {
  return { schema: predictionSchema, path, summary, reasons }
}

function bothDirect(x: KnownFamily | undefined, y: KnownFamily | undefined): boolean {
  return x?.isDirect.value === true && y?.isDirect.value === true
}

function blocked(a: KnownNetwork, b: KnownNetwork): Prediction {
  const sides = [a, b].filter(({ families }) => families.udp4?.reachable.value === false)
  const hasTcp = sides.every(
    ({ families }) => families.tcp4?.reachable.value === true || families.tcp6?.reachable.value === true,
  )
  const who = sides.length === 2 ? 'both sides' : sides[0] === a ? 'the first side' : 'the second side'
  return hasTcp
    ? prediction('relay-tcp', 'These two need a relay that is reached over TCP or TLS.', [
        `UDP is blocked at ${who}`,
      ])
    : prediction('unknown', 'UDP is blocked, and TCP was not seen to work either.', [
        `UDP is blocked at ${who}`,
        'a relay over TLS on port 443 is what is let through most often: turnpike check turns:… tells',
      ])
}

function isSamePublicIp(x: KnownFamily, y: KnownFamily): boolean {
  return (
    x.isDirect.value !== true && x.mapped.some((one) => y.mapped.some((other) => ipOf(one) === ipOf(other)))
  )
}

function ipOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'))
}

function behindOneNat(x: KnownFamily, y: KnownFamily, reasons: readonly string[]): Prediction {
  const why = [...reasons, 'both have the same public address: they are behind one NAT']
  if (x.local !== null && y.local !== null && isSameNet(x.local, y.local)) {
    return prediction('direct', 'These two can connect directly inside their own network.', [
      ...why,
      'their own addresses look like one network',
    ])
  }
  const hairpin = x.nat?.hairpin.value ?? y.nat?.hairpin.value ?? null
  if (hairpin === null) {
    return prediction('unknown', 'It depends on whether the NAT that they share hairpins.', [
      ...why,
      'run turnpike nat --hairpin on one of them',
    ])
  }
  const direct = hairpin ? connectsWith(possibleBehaviors(x), possibleBehaviors(y)) : false
  if (direct === null) return prediction('unknown', 'It depends on what the reports do not know.', why)
  const word = hairpin ? 'it hairpins' : 'it does not hairpin'
  return direct
    ? prediction('direct', 'These two can connect through the NAT that they share.', [...why, word])
    : prediction('relay', 'These two need a relay (TURN).', [...why, word])
}

/** The first 24 bits. */
function isSameNet(x: string, y: string): boolean {
  const net = (address: string) => ipOf(address).split('.').slice(0, 3).join('.')
  return net(x) === net(y)
}

function describe(family: KnownFamily): string {
  const { nat } = family
  if (nat === null) return 'nothing known'
  const one = (values: readonly string[]) => (values.length === 0 ? '?' : values.join(' or '))
  const kind = `${one(nat.mapping.possible)} mapping, ${one(nat.filtering.possible)} filtering`
  return family.isDirect.value === true ? `no NAT, ${kind}` : kind
}

function remarks(x: KnownFamily, y: KnownFamily): string[] {
  const said: string[] = []
  for (const [name, one, other] of [
    ['first', x, y],
    ['second', y, x],
  ] as const) {
    if (one.nat?.inboundPoisonsMapping.value === true) {
      said.push(`${name}: a packet that comes too early takes the mapping; it may need several tries`)
    }
    if ((one.nat?.publicIps ?? 1) > 1) said.push(`${name}: packets leave from several public addresses`)
    if (
      one.nat?.allocation.value === 'sequential' &&
      one.nat.mapping.value === 'APDM' &&
      other.nat?.mapping.value === 'EIM'
    ) {
      said.push(`${name}: ports are given in sequence and could be guessed, which ICE does not do`)
    }
  }
  return said
}
