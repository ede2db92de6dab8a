/** `turnpike check`: every step of every transport of a TURN server, and the cure for what fails. */

import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import { anonymizedCheck } from '../probe/anonymize.ts'
import { type CheckReport, isAbsence, isRefusal } from '../probe/check/report.ts'
import type { ServerUri } from '../stun/uri.ts'
import { nagiosOf, prometheusOf } from './check-monitoring.ts'
import { checkScreen } from './check-screen.ts'
import { type End, type ExitCode, exitCodes } from './exit-codes.ts'
import { interruptible } from './interrupt.ts'
import { addLoginFlags, type LoginFlags, loginOf } from './login-flags.ts'
import { addOutputFlags, type OutputFlags, show } from './output.ts'
import { integerBetween } from './parse-options.ts'
import { parseTurnUri, severalUris } from './parse-uris.ts'
import {
  type CheckRequirement,
  checkRequirements,
  holdsOfCheck,
  judgeRequirements,
  type Requirement,
  requireOption,
} from './requirements.ts'
import { progressOn } from './screen/progress.ts'
import { version } from './version.ts'

interface CheckFlags extends LoginFlags, OutputFlags {
  readonly exact?: boolean
  readonly ca?: string
  readonly count: number
  readonly timeout: number
  readonly policy?: boolean
  readonly require?: readonly Requirement<CheckRequirement>[]
  readonly nagios?: boolean
  readonly prometheus?: boolean
}

export function checkCommand(end: End): Command {
  const command = new Command('check').argument(
    '<turn-uri...>',
    'servers to check, such as turn:turn.example.org or turns:turn.example.org:443',
    severalUris(parseTurnUri),
  )
  addLoginFlags(command)
  command
    .option('--exact', 'what the URIs say and nothing besides: no other transport, no usual port')
    .option('--ca <file>', 'trust the authority in this file (PEM) instead of those of the system')
    .option('--count <n>', 'packets of the echo', integerBetween(1, 1000, 'packets'), 20)
    .option('--timeout <seconds>', 'for all of it', integerBetween(1, 300, 'seconds'), 30)
    .option('--policy', 'ask for peers that it has to refuse, of a server of your own; sends them nothing')
    .addOption(requireOption(checkRequirements, ['rtt', 'loss', 'cert']))
    .addOption(
      new Option(
        '--nagios',
        'one line with performance data; exit 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN',
      ).conflicts(['json', 'prometheus']),
    )
    .addOption(
      new Option('--prometheus', 'metrics in text format, as for a textfile collector').conflicts('json'),
    )
  return addOutputFlags(command, { schema: 'check-1', verbose: 'every step', hasPage: true })
    .addHelpText(
      'after',
      `
Examples:
  $ turnpike check turn:turn.example.org --user me
  $ turnpike check turns:turn.example.org:443 --secret-file secret --policy
  $ turnpike check turn:turn.example.org --user me --password-file pw \\
      --exact --nagios`,
    )
    .action(async (uris: readonly ServerUri[], flags: CheckFlags) => {
      end((await runCheck(uris, flags)) as ExitCode)
    })
}

async function runCheck(uris: readonly ServerUri[], flags: CheckFlags): Promise<number> {
  const [{ NodeHost }, { checkTurn }, { isUdpPortClosed }] = await Promise.all([
    import('../net/node-host.ts'),
    import('../probe/check/check.ts'),
    import('../probe/one-shot-udp.ts'),
  ])
  const host = new NodeHost()
  const credentials = await loginOf(flags, host.clock.epochSeconds())
  const authorities = flags.ca === undefined ? undefined : [readAuthority(flags.ca)]
  const progress = progressOn(process.stderr, process.env)
  return interruptible(async ({ signal }) => {
    const report = await checkTurn(host, {
      servers: uris,
      credentials,
      ...(flags.exact === true ? { otherPlaces: [] } : {}),
      policy: flags.policy,
      count: flags.count,
      limitMs: flags.timeout * 1000,
      tls: authorities && { authorities },
      tool: `turnpike ${version()}`,
      isRefused: isUdpPortClosed,
      signal,
      onStep: (text) => progress.show(`turnpike check: ${text} …`),
    })
    progress.clear()
    if (flags.nagios === true) {
      const { line, code } = nagiosOf(report)
      process.stdout.write(line)
      return code
    }
    await tell(report, flags)
    return signal.aborted ? exitCodes.interrupted : exitCodeOfCheck(report, flags.require ?? [])
  })
}

async function tell(measured: CheckReport, flags: CheckFlags): Promise<void> {
  const report = flags.anonymize === true ? anonymizedCheck(measured) : measured
  if (flags.prometheus === true) process.stdout.write(prometheusOf(report))
  else await show(report, checkScreen(report, { verbose: flags.verbose === true }), flags)
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new TurnpikeError('configuration-invalid', `--ca ${JSON.stringify(file)} cannot be read`, { cause })
  }
}

export function exitCodeOfCheck(
  report: CheckReport,
  required: readonly Requirement<CheckRequirement>[],
): ExitCode {
  const { ok, transports } = report
  const named = transports.filter(({ isNamed }) => isNamed)
  if (named.every(isAbsence)) return exitCodes.unreachable
  if (named.some(isRefusal) && !named.some((one) => one.ok === true)) return exitCodes.unauthorized
  if (ok === false) return exitCodes.failed
  const judged = judgeRequirements(required.map((one) => holdsOfCheck(one, report)))
  return judged === exitCodes.success && ok === null ? exitCodes.inconclusive : judged
}
