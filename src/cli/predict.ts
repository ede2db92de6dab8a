/** `turnpike predict`: two reports of `turnpike nat --json`, and whether their hosts can connect. */

import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import { anonymized, anonymizedPrediction } from '../probe/anonymize.ts'
import { type Prediction, predict } from '../probe/predict.ts'
import { natSchema, type ProbeReport } from '../probe/report.ts'
import { type End, exitCodes } from './exit-codes.ts'
import type { Figure } from './html/figure.ts'
import { addOutputFlags, type OutputFlags, show } from './output.ts'
import type { Block, Cell, Mark } from './screen/blocks.ts'

export function predictCommand(end: End): Command {
  const command = new Command('predict')
    .argument('<a.json>', 'what turnpike nat --json has written on one host')
    .argument('<b.json>', 'and on the other')
  return addOutputFlags(command, {
    schema: 'predict-1',
    verbose: 'what is known of both sides',
    hasPage: true,
  }).action(async (a: string, b: string, flags: OutputFlags) => {
    const sides = [readReport(a), readReport(b)] as const
    const measured = predict(...sides)
    const prediction = flags.anonymize === true ? anonymizedPrediction(measured) : measured
    const shown = flags.anonymize === true ? ([anonymized(sides[0]), anonymized(sides[1])] as const) : sides
    await show(prediction, predictScreen(prediction, shown, flags.verbose === true), flags)
    end(prediction.path === 'unknown' ? exitCodes.inconclusive : exitCodes.success)
  })
}

const marks: Readonly<Record<Prediction['path'], Mark>> = {
  direct: 'ok',
  relay: 'failed',
  'relay-tcp': 'failed',
  none: 'failed',
  unknown: 'unknown',
}

export function predictScreen(
  { path, summary, reasons }: Prediction,
  sides?: readonly [ProbeReport, ProbeReport],
  verbose = false,
): Block[] {
  return [
    { type: 'title', left: 'turnpike predict' },
    { type: 'verdict', mark: marks[path], sentences: [summary] },
    ...(sides === undefined ? [] : [{ type: 'drawing' as const, lines: [], figure: routeOf(path, sides) }]),
    {
      type: 'facts',
      facts: reasons.map((reason, i) => ({ label: i === 0 ? 'Because' : '', value: reason })),
    },
    ...(sides === undefined || !verbose ? [] : [sideTable(sides)]),
  ]
}

/** Both NATs with what is between them: nothing, or a relay. */
function routeOf(path: Prediction['path'], sides: readonly [ProbeReport, ProbeReport]): Figure {
  const [a, b] = sides.map(kindOf) as [string, string]
  const ends = [
    { title: 'A', detail: a },
    { title: 'B', detail: b },
  ] as const
  if (path === 'direct' || path === 'none' || path === 'unknown') {
    const label = path === 'direct' ? 'direct' : path === 'none' ? 'no way' : 'not known'
    return { kind: 'route', stations: ends, links: [{ label, mark: marks[path] }], back: undefined }
  }
  const wire = path === 'relay-tcp' ? 'TCP or TLS' : 'UDP'
  return {
    kind: 'route',
    stations: [ends[0], { title: 'TURN relay', detail: 'no direct way' }, ends[1]],
    links: [
      { label: wire, mark: 'ok' },
      { label: wire, mark: 'ok' },
    ],
    back: undefined,
  }
}

function kindOf({ verdict, families }: ProbeReport): string {
  const nat = (families.udp4 ?? families.udp6)?.nat
  const kind = `${nat?.mapping.value ?? '?'} / ${nat?.filtering.value ?? '?'}`
  return verdict.legacy === null ? kind : `${verdict.legacy.replaceAll('-', ' ')} (${kind})`
}

function sideTable(sides: readonly [ProbeReport, ProbeReport]): Block {
  const rows = sides.flatMap((side, i) =>
    Object.entries(side.families).map(([family, { mapped, nat, isDirect, reachable }]): Cell[] => [
      i === 0 ? 'A' : 'B',
      family,
      reachable.value === true ? mapped.join(' ') : { mark: 'failed', text: reachable.reason ?? 'blocked' },
      isDirect.value === true ? 'no NAT' : (nat?.mapping.value ?? '?'),
      nat?.filtering.value ?? '?',
    ]),
  )
  return { type: 'table', name: 'side', columns: ['Side', 'Family', 'Seen as', 'Mapping', 'Filter'], rows }
}

/** Throws `configuration-invalid` for a file that is no report. */
export function readReport(file: string): ProbeReport {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new TurnpikeError('configuration-invalid', `${JSON.stringify(file)} cannot be read`, { cause })
  }
  const report = parseJson(text)
  if (!isReport(report)) {
    throw new TurnpikeError(
      'configuration-invalid',
      `${JSON.stringify(file)} is no report of schema ${natSchema}; write one with turnpike nat --json`,
    )
  }
  return report
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isReport(value: unknown): value is ProbeReport {
  return (
    typeof value === 'object' &&
    value !== null &&
    'schema' in value &&
    value.schema === natSchema &&
    'families' in value &&
    typeof value.families === 'object' &&
    value.families !== null
  )
}
