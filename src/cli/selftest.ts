/** `turnpike selftest`: what `serve` with the same flags needs of this machine, and what helps where it is not so. */

import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { anonymizedFindings } from '../probe/anonymize.ts'
import { createLog } from '../server/log.ts'
import type { DeploymentFinding } from '../server/self-test.ts'
import { type End, type ExitCode, exitCodes } from './exit-codes.ts'
import { addOutputFlags, type OutputFlags, show } from './output.ts'
import { progressOn } from './screen/progress.ts'
import { selftestScreen } from './selftest-screen.ts'
import { addServeFlags, configOf, type ServeFlags } from './serve.ts'
import { version } from './version.ts'

interface SelftestFlags extends ServeFlags, OutputFlags {}

export const selftestSchema = 'turnpike.selftest/1'

export function selftestCommand(end: End): Command {
  return addOutputFlags(addServeFlags('selftest'), {
    schema: 'selftest-1',
    verbose: 'what each thing is needed for',
  })
    .addHelpText(
      'after',
      `
With the flags of turnpike serve, before it runs or beside it:
  $ turnpike selftest --listen udp://192.0.2.1:3478 \\
      --alternate-address 192.0.2.2 --secret-file secret`,
    )
    .action(async (flags: SelftestFlags) => {
      end(await runSelftest(flags))
    })
}

async function runSelftest(flags: SelftestFlags): Promise<ExitCode> {
  const [{ NodeHost }, { testDeployment }] = await Promise.all([
    import('../net/node-host.ts'),
    import('../server/self-test.ts'),
  ])
  const log = createLog({
    level: flags.logLevel,
    format: flags.logFormat,
    stream: process.stderr,
    date: () => new Date(),
  })
  const progress = progressOn(process.stderr, process.env)
  progress.show('turnpike selftest: looking at this machine …')
  const config = configOf(flags, log)
  const measured = await testDeployment(config, {
    host: new NodeHost(),
    limits: textOf('/proc/self/limits') ?? '',
    mostReceiveBufferBytes: numberIn(textOf('/proc/sys/net/core/rmem_max')),
  }).finally(() => progress.clear())
  const findings =
    flags.anonymize === true
      ? anonymizedFindings(
          measured,
          config.partners.map(({ host }) => host),
        )
      : measured
  const report = { schema: selftestSchema, tool: `turnpike ${version()}`, findings }
  await show(report, selftestScreen(findings, { verbose: flags.verbose === true }), flags)
  return exitCodeOf(measured)
}

export function exitCodeOf(findings: readonly DeploymentFinding[]): ExitCode {
  return findings.some(({ isOk }) => isOk === false) ? exitCodes.failed : exitCodes.success
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function numberIn(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number.parseInt(text, 10)
}
