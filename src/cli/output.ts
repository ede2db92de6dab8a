/** How a report is shown: a screen, one record a line, JSON, and besides as a page in a file. */

import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import type { Block } from './screen/blocks.ts'
import { render } from './screen/render.ts'
import { terminalOf } from './screen/terminal.ts'
import { version } from './version.ts'

export interface OutputFlags {
  readonly json?: boolean
  readonly html?: string
  readonly anonymize?: boolean
  readonly verbose?: boolean
  readonly plain?: boolean
  /** commander's form of `--no-color`. */
  readonly color?: boolean
}

export interface OutputWords {
  /** The schema of the report, such as `nat-1`. */
  readonly schema: string
  /** What `--verbose` adds. */
  readonly verbose: string
  /** Whether there are drawings for a page. */
  readonly hasPage?: boolean
}

export function addOutputFlags(command: Command, { schema, verbose, hasPage }: OutputWords): Command {
  command.option('--json', `the whole report (docs/schemas/${schema}.schema.json)`)
  if (hasPage === true) command.option('--html <file>', 'write a page with the drawings there, too')
  return command
    .option('--anonymize', 'hide addresses and names, for reports in public')
    .option('-v, --verbose', verbose)
    .option('--plain', 'one record a line')
    .option('--no-color', 'no colours')
}

/** Shows it, and writes the page if `--html` names a file. Throws `configuration-invalid` when that cannot be written. */
export async function show(report: object, blocks: readonly Block[], flags: OutputFlags): Promise<void> {
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify(report, null, 2)}\n`
      : render(blocks, terminalOf(process.stdout, process.env, flags)),
  )
  if (flags.html === undefined) return
  const { htmlPage } = await import('./html/page.ts')
  const title = blocks.find((block) => block.type === 'title')?.left ?? 'turnpike'
  try {
    writeFileSync(flags.html, htmlPage({ title, blocks, report, tool: `turnpike ${version()}` }))
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unwritable'
    throw new TurnpikeError(
      'configuration-invalid',
      `--html ${JSON.stringify(flags.html)} cannot be written (${code})`,
      { cause },
    )
  }
  process.stderr.write(`the page is in ${flags.html}\n`)
}
