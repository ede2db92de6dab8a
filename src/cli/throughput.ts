/** `turnpike throughput`: says what it is going to send, sends it through a relay, and tells what came through. */

import { Command } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import type { Host } from '../core/host.ts'
import { isLoopbackIp } from '../core/ip.ts'
import { anonymizedThroughput } from '../probe/anonymize.ts'
import type { ThroughputPlan, ThroughputReport } from '../probe/throughput.ts'
import { formatServerUri, type ServerUri } from '../stun/uri.ts'
import { type End, type ExitCode, exitCodes } from './exit-codes.ts'
import { interruptible } from './interrupt.ts'
import { addLoginFlags, type LoginFlags, loginOf } from './login-flags.ts'
import { addOutputFlags, type OutputFlags, show } from './output.ts'
import { integerBetween } from './parse-options.ts'
import { parseTurnUri } from './parse-uris.ts'
import { progressOn } from './screen/progress.ts'
import { version } from './version.ts'

interface ThroughputFlags extends LoginFlags, OutputFlags {
  readonly upTo: number
  readonly seconds: number
  readonly size: number
  readonly yes?: boolean
}

export function throughputCommand(end: End): Command {
  const command = new Command('throughput').argument(
    '<turn-uri>',
    'the server, such as turn:turn.example.org or turns:turn.example.org:443?transport=tcp',
    parseTurnUri,
  )
  addLoginFlags(command)
  command
    .option('--up-to <mbits>', 'the last step, in Mbit/s', integerBetween(1, 10_000, 'Mbit/s'), 64)
    .option('--seconds <n>', 'of each step', integerBetween(1, 60, 'seconds'), 2)
    .option('--size <bytes>', 'payload of each packet', integerBetween(64, 1400, 'bytes'), 1200)
    .option('--yes', 'send that to a server that is not on loopback: you may')
  return addOutputFlags(command, {
    schema: 'throughput-1',
    verbose: 'the packets of each step, and the least and the longest of its round trips',
    hasPage: true,
  })
    .addHelpText(
      'after',
      `
Examples:
  $ turnpike throughput turn:127.0.0.1:3478 --user alice --password-file pw
  $ turnpike throughput turn:turn.example.org --user alice --password-file pw \\
      --up-to 16 --yes`,
    )
    .action(async (uri: ServerUri, flags: ThroughputFlags) => {
      end(await runThroughput(uri, flags))
    })
}

async function runThroughput(uri: ServerUri, flags: ThroughputFlags): Promise<ExitCode> {
  const [{ NodeHost }, { bytesOf, doublingUpTo, probeThroughput }, { bytesText, throughputScreen }] =
    await Promise.all([
      import('../net/node-host.ts'),
      import('../probe/throughput.ts'),
      import('./throughput-screen.ts'),
    ])
  const host = new NodeHost()
  const plan: ThroughputPlan = {
    mbitsPerSecond: doublingUpTo(flags.upTo),
    secondsPerStep: flags.seconds,
    payloadBytes: flags.size,
  }
  const planned = planText(plan, bytesText(bytesOf(plan)))
  if (flags.yes !== true && !(await isOnLoopback(host, uri))) {
    throw new TurnpikeError(
      'configuration-invalid',
      `${formatServerUri(uri)} is not on loopback: add --yes if it and the network on the way may be sent ${planned}`,
    )
  }
  const credentials = await loginOf(flags, host.clock.epochSeconds())
  process.stderr.write(`turnpike throughput: ${planned}\n`)
  const progress = progressOn(process.stderr, process.env)
  return interruptible(async (interruption) => {
    const report = await probeThroughput(host, {
      uri,
      credentials,
      plan,
      tool: `turnpike ${version()}`,
      signal: interruption.signal,
      onStep: (text) => progress.show(`turnpike throughput: ${text} …`),
    }).finally(() => progress.clear())
    const shown = flags.anonymize === true ? anonymizedThroughput(report) : report
    await show(shown, throughputScreen(shown, { verbose: flags.verbose === true }), flags)
    return interruption.isInterrupted ? exitCodes.interrupted : exitCodeOf(report)
  })
}

function planText(plan: ThroughputPlan, size: string): string {
  const { mbitsPerSecond, secondsPerStep, payloadBytes } = plan
  const steps = mbitsPerSecond.join(', ')
  return `up to ${size} in all: ${steps} Mbit/s for ${secondsPerStep} s each, in packets of ${payloadBytes} bytes, until more than 1 % is lost`
}

/** Every address that it may mean. A name that does not resolve is found out later. */
async function isOnLoopback(host: Host, uri: ServerUri): Promise<boolean> {
  const { resolveServer } = await import('../net/resolve-server.ts')
  return new Promise((resolve) => {
    resolveServer(host, uri, { transports: ['udp', 'tcp', 'tls'] }, (result) => {
      resolve(result.type === 'resolved' && result.servers.every(({ address }) => isLoopbackIp(address)))
    })
  })
}

export function exitCodeOf({ failure, end, bestMbits }: ThroughputReport): ExitCode {
  if (failure !== null) {
    if (failure.isRefused) return exitCodes.unauthorized
    return failure.isUnreachable ? exitCodes.unreachable : exitCodes.failed
  }
  if (end === 'interrupted') return exitCodes.inconclusive
  return bestMbits === null ? exitCodes.failed : exitCodes.success
}
