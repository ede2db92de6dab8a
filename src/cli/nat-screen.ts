/** The screen of `turnpike nat`: the verdict, the facts, the path drawn, who can be reached, what to do. */

import type { Finding } from '../probe/behavior.ts'
import { connectsWith, peers, possibleBehaviors } from '../probe/predict.ts'
import type { FamilyReport, NatReport, ProbeReport } from '../probe/report.ts'
import type { Figure } from './html/figure.ts'
import type { Block, Cell, Fact } from './screen/blocks.ts'

export interface NatScreenOptions {
  readonly verbose: boolean
}

const legacyNames = {
  'open-internet': 'none',
  'symmetric-udp-firewall': 'none, behind a stateful firewall (or one on this machine)',
  'full-cone': 'Full cone (NAT1)',
  'restricted-cone': 'Restricted cone (NAT2)',
  'port-restricted-cone': 'Port-restricted cone (NAT3)',
  symmetric: 'Symmetric (NAT4)',
} as const

const familyLabels = { udp4: 'UDP, IPv4', udp6: 'UDP, IPv6', tcp4: 'TCP, IPv4', tcp6: 'TCP, IPv6' } as const

export function natScreen(report: ProbeReport, { verbose }: NatScreenOptions): Block[] {
  const { families, verdict, servers, durationMs, time } = report
  const udp = families.udp4?.nat == null ? (families.udp6 ?? families.udp4) : families.udp4
  const count = `${servers.length} server${servers.length === 1 ? '' : 's'}`
  const partial = report.isPartial ? ' · not finished' : ''
  const title: Block = {
    type: 'title',
    left: `turnpike nat · ${count} · ${(durationMs / 1000).toFixed(1)} s${partial}`,
    right: time.replace('T', ' ').slice(0, 16),
  }
  const mark = verdict.direct === 'likely' ? 'ok' : verdict.direct === 'unknown' ? 'unknown' : 'failed'
  return [
    title,
    { type: 'verdict', mark, sentences: [verdict.summary] },
    {
      type: 'facts',
      facts: [...familyFacts(report), ...(udp?.nat == null ? [] : natFacts(report, udp.nat))],
    },
    ...(udp === undefined ? [] : pathDrawing(udp)),
    ...(udp?.nat == null ? [] : [peerTable(udp)]),
    ...(verbose ? [observationTable(report)] : []),
    problemsOf(report, udp?.nat ?? undefined),
    { type: 'next', commands: ['turnpike nat … --json > a.json', 'turnpike predict a.json b.json'] },
  ].filter((block): block is Block => !('problems' in block) || block.problems.length > 0)
}

function familyFacts({ families }: ProbeReport): Fact[] {
  return (Object.keys(familyLabels) as (keyof typeof familyLabels)[]).flatMap((name) => {
    const family = families[name]
    if (family === undefined) return []
    if (family.reachable.value !== true) {
      const mark = family.reachable.value === false ? 'failed' : 'unknown'
      return [
        { label: familyLabels[name], value: { mark, text: family.reachable.reason ?? 'no answer' } as Cell },
      ]
    }
    const direct = family.isDirect.value === true ? 'no NAT' : `from ${family.local}`
    return [{ label: familyLabels[name], value: `${family.mapped.join(' ')}  (${direct})` }]
  })
}

function natFacts({ verdict }: ProbeReport, nat: NatReport): Fact[] {
  const { mapping, filtering } = nat
  const narrow = (possible: readonly string[], value: string | null) =>
    value ?? (possible.length < 3 ? possible.join(' or ') : '?')
  const kind = `${narrow(mapping.possible, mapping.value)} / ${narrow(filtering.possible, filtering.value)}`
  return [
    {
      label: 'NAT',
      value: `${verdict.legacy === null ? 'not fully known' : legacyNames[verdict.legacy]}   RFC 4787: ${kind}`,
    },
    { label: 'Ports', value: portsOf(nat) },
    {
      label: 'Public IPs',
      value: nat.publicIps > 1 ? `${nat.publicIps} seen: packets leave from several` : `${nat.publicIps}`,
    },
    { label: 'Hairpin', value: yesNo(nat.hairpin) },
    {
      label: 'NATs in a row',
      value: nat.layers.value === null ? notKnown(nat.layers) : `${nat.layers.value} (likely)`,
    },
    { label: 'Fragments', value: yesNo(nat.fragments, 'pass', 'are dropped') },
    { label: 'Payload rewritten', value: yesNo(nat.alg) },
  ]
}

function portsOf({ allocation, parity, contiguity }: NatReport): string {
  const words = allocation.value === null ? `? ${allocation.reason}` : allocation.value
  const delta = allocation.value === 'sequential' ? ` (+${allocation.delta})` : ''
  const kept = allocation.value !== 'preserved' && parity.value === true ? ' · parity kept' : ''
  const row = allocation.value !== 'preserved' && contiguity.value === true ? ' · contiguous' : ''
  return words + delta + kept + row
}

function yesNo(finding: Finding<boolean>, yes = 'yes', no = 'no'): Cell {
  if (finding.value === null) return notKnown(finding)
  return finding.value ? yes : no
}

function notKnown({ reason }: Finding<unknown>): Cell {
  return { mark: 'unknown', text: reason ?? 'not known' }
}

/** The mapping toward each destination; what stands right of an arrow is our port as it is seen there. */
function pathDrawing(family: FamilyReport): Block[] {
  const { nat } = family
  if (nat === null || nat.mapping.observations.length === 0) return []
  const { observations } = nat.mapping
  const width = Math.max(...observations.map(({ destination }) => destination.length))
  const last = observations.length - 1
  const middle = family.isDirect.value === true ? '[ no NAT ]' : '[ NAT ]'
  const start = `you ${family.local} ──▶ ${middle} `
  const arm = (i: number) => (last === 0 ? '──' : i === 0 ? '┬─' : i === last ? '└─' : '├─')
  const lines = observations.map(({ destination, mapped }, i) => {
    const lead = i === 0 ? start : ' '.repeat([...start].length)
    return `${lead}${arm(i)}▶ ${destination.padEnd(width)}  ${portOf(mapped)}`
  })
  const words = {
    EIM: 'the same port everywhere: the mapping does not depend on the destination',
    ADM: 'another port for each address',
    APDM: 'another port for each address and port',
  }
  const said = nat.mapping.value === null ? nat.mapping.reason : words[nat.mapping.value]
  const figure: Figure = {
    kind: 'mapping',
    local: `${family.local}`,
    middle: family.isDirect.value === true ? 'no NAT' : 'NAT',
    arms: observations.map(({ destination, mapped }) => ({
      destination,
      port: portOf(mapped),
      isFirst: mapped === observations[0]!.mapped,
    })),
    says: `${said}`,
  }
  return [{ type: 'drawing', lines: [...lines, `  ${said}`], figure }]
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1)
}

function peerTable(family: FamilyReport): Block {
  const mine = possibleBehaviors(family)
  const reach = (name: keyof typeof peers): Cell => {
    const direct = connectsWith(mine, [peers[name]])
    if (direct === null) return { mark: 'unknown' }
    return direct ? { mark: 'ok' } : { mark: 'failed', text: 'relay' }
  }
  return {
    type: 'table',
    name: 'peer',
    columns: ['Peer is behind', 'nothing', 'full cone', 'restricted', 'port-restr.', 'symmetric'],
    rows: [
      [
        'direct UDP',
        reach('open'),
        reach('fullCone'),
        reach('restricted'),
        reach('portRestricted'),
        reach('symmetric'),
      ],
    ],
  }
}

function observationTable({ families }: ProbeReport): Block {
  const rows = Object.entries(families).flatMap(([name, family]) =>
    (family.nat?.mapping.observations ?? []).map(({ destination, mapped, rttMs, tries }) => [
      name,
      destination,
      mapped,
      rttMs === null ? '–' : `${rttMs} ms`,
      `${tries}`,
    ]),
  )
  return {
    type: 'table',
    name: 'observation',
    columns: ['Family', 'Asked', 'Seen as', 'RTT', 'Tries'],
    right: [3, 4],
    rows,
  }
}

function problemsOf(report: ProbeReport, nat: NatReport | undefined): Block & { type: 'problems' } {
  const problems = report.problems.map(({ severity, where, what, fix }) => ({
    mark: severity === 'error' ? ('failed' as const) : ('unknown' as const),
    text: `${where}: ${what}. ${fix}`,
  }))
  if (nat !== undefined && nat.filtering.value === null && nat.filtering.reason !== null) {
    problems.push({ mark: 'unknown', text: `Filtering: ${nat.filtering.reason}.` })
  }
  if (nat?.inboundPoisonsMapping.value === true) {
    problems.push({
      mark: 'failed',
      text: 'A packet that comes in unasked takes the mapping away, so that connecting may need several tries. Have the router drop new packets from outside.',
    })
  }
  return { type: 'problems', problems }
}
