/** `turnpike ping`: latency, jitter and loss of servers, live on a terminal and a line a ping elsewhere. */

import { Command, InvalidArgumentError, Option } from 'commander'
import type { Ping, PingReport } from '../probe/ping.ts'
import type { ServerUri } from '../stun/uri.ts'
import { type End, type ExitCode, exitCodes } from './exit-codes.ts'
import { interruptible } from './interrupt.ts'
import { integerBetween } from './parse-options.ts'
import { parseAnyUri, severalUris } from './parse-uris.ts'
import { pingScreen } from './ping-screen.ts'
import { judgeRequirements, type Requirement, requireOption } from './requirements.ts'
import { LiveScreen } from './screen/live.ts'
import { render } from './screen/render.ts'
import { terminalOf } from './screen/terminal.ts'
import { version } from './version.ts'

interface PingFlags {
  readonly count?: number
  readonly interval: number
  readonly timeout: number
  readonly require?: readonly Requirement<never>[]
  readonly json?: boolean
  readonly jsonLines?: boolean
  readonly anonymize?: boolean
  readonly verbose?: boolean
  readonly plain?: boolean
  readonly color?: boolean
}

export function pingCommand(end: End): Command {
  return new Command('ping')
    .argument(
      '<uri...>',
      'servers, such as stun:stun.example.org or turns:turn.example.org',
      severalUris(parseAnyUri),
    )
    .option(
      '-c, --count <n>',
      'pings of each; without end unless given',
      integerBetween(1, 1_000_000, 'pings'),
    )
    .option('-i, --interval <seconds>', 'between two pings of a server', parseInterval, 1)
    .option('--timeout <seconds>', 'after that a ping is lost', integerBetween(1, 60, 'seconds'), 2)
    .addOption(requireOption([], ['rtt', 'loss'], ' of every server'))
    .addOption(
      new Option('--json', 'the report at the end (docs/schemas/ping-1.schema.json)').conflicts('jsonLines'),
    )
    .option('--json-lines', 'one line a ping, and the report as the last one')
    .option('--anonymize', 'hide addresses and names, for reports in public')
    .option('-v, --verbose', 'a line a ping on a terminal too, and the addresses with all round trips')
    .option('--plain', 'one record a line')
    .option('--no-color', 'no colours')
    .addHelpText(
      'after',
      `
Ctrl-C ends it, with the summary.

Examples:
  $ turnpike ping stun:stun.example.org turn:turn.example.org?transport=tcp
  $ turnpike ping turns:turn.example.org -c 10 --require 'rtt<80ms,loss<1%'`,
    )
    .action(async (uris: readonly ServerUri[], flags: PingFlags) => {
      end(await runPing(uris, flags))
    })
}

async function runPing(uris: readonly ServerUri[], flags: PingFlags): Promise<ExitCode> {
  const [{ NodeHost }, { pingServers }, { isUdpPortClosed }, { anonymizedPing }] = await Promise.all([
    import('../net/node-host.ts'),
    import('../probe/ping.ts'),
    import('../probe/one-shot-udp.ts'),
    import('../probe/anonymize.ts'),
  ])
  const terminal = terminalOf(process.stdout, process.env, flags)
  const isQuiet = flags.json === true
  const live = new LiveScreen(process.stdout)
  const shown = (report: PingReport) => (flags.anonymize === true ? anonymizedPing(report) : report)
  return interruptible(async ({ signal }) => {
    const report = await pingServers(new NodeHost(), {
      servers: uris,
      count: flags.count,
      intervalMs: flags.interval * 1000,
      timeoutMs: flags.timeout * 1000,
      tool: `turnpike ${version()}`,
      isRefused: isUdpPortClosed,
      signal,
      onPing: (ping, soFar) => {
        if (isQuiet) return
        const visible = shown(soFar)
        const said = {
          ...ping,
          uri: visible.servers[soFar.servers.findIndex(({ uri }) => uri === ping.uri)]!.uri,
        }
        if (flags.jsonLines === true)
          process.stdout.write(`${JSON.stringify({ event: 'ping', ...said })}
`)
        else if (terminal.isPlain || flags.verbose === true) process.stdout.write(lineOf(said))
        else live.show(render(pingScreen(visible), terminal))
      },
    })
    live.clear()
    if (flags.json === true) process.stdout.write(`${JSON.stringify(shown(report), null, 2)}\n`)
    else if (flags.jsonLines === true) process.stdout.write(`${JSON.stringify(shown(report))}\n`)
    else
      process.stdout.write(render(pingScreen(shown(report), { verbose: flags.verbose === true }), terminal))
    // To break an endless one off is how it is meant to end.
    if (signal.aborted && flags.count !== undefined) return exitCodes.interrupted
    return exitCodeOfPing(report, flags.require ?? [])
  })
}

function lineOf({ uri, sequence, rttMs, reason }: Ping): string {
  return `ping: uri=${uri} seq=${sequence} ${rttMs === null ? `lost=${JSON.stringify(reason)}` : `ms=${rttMs.toFixed(2)}`}\n`
}

export function exitCodeOfPing({ servers }: PingReport, required: readonly Requirement<never>[]): ExitCode {
  if (servers.every(({ received }) => received === 0)) return exitCodes.unreachable
  return judgeRequirements(
    required.flatMap(({ name, limit }) =>
      servers.map(({ avgMs, loss }) =>
        name === 'rtt' ? avgMs !== null && avgMs < limit : loss !== null && loss * 100 < limit,
      ),
    ),
  )
}

function parseInterval(text: string): number {
  const seconds = /^\d{1,4}(?:\.\d{1,3})?$/.test(text) ? Number(text) : 0
  if (seconds >= 0.1 && seconds <= 3600) return seconds
  throw new InvalidArgumentError(`${JSON.stringify(text)} is not a number of seconds from 0.1 to 3600`)
}
