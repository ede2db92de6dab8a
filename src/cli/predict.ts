/** `turnpike predict`: two reports of `turnpike nat --json`, and whether their hosts can connect. */

import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import { type Prediction, predict } from '../probe/predict.ts'
import { natSchema, type ProbeReport } from '../probe/report.ts'
import { type End, exitCodes } from './exit-codes.ts'
import type { Block, Mark } from './screen/blocks.ts'
import { render } from './screen/render.ts'
import { terminalOf } from './screen/terminal.ts'

interface PredictFlags {
  readonly json?: boolean
  readonly plain?: boolean
  readonly color?: boolean
}

export function predictCommand(end: End): Command {
  return new Command('predict')
    .argument('<a.json>', 'what turnpike nat --json has written on one host')
    .argument('<b.json>', 'and on the other')
    .option('--json', 'the prediction as JSON (docs/schemas/predict-1.schema.json)')
    .option('--plain', 'one record a line')
    .option('--no-color', 'no colours')
    .action((a: string, b: string, flags: PredictFlags) => {
      const prediction = predict(readReport(a), readReport(b))
      const terminal = terminalOf(process.stdout, process.env, flags)
      const text =
        flags.json === true
          ? `${JSON.stringify(prediction, null, 2)}\n`
          : render(predictScreen(prediction), terminal)
      process.stdout.write(text)
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

export function predictScreen({ path, summary, reasons }: Prediction): Block[] {
  return [
    { type: 'verdict', mark: marks[path], sentences: [summary] },
    {
      type: 'facts',
      facts: reasons.map((reason, i) => ({ label: i === 0 ? 'Because' : '', value: reason })),
    },
  ]
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
