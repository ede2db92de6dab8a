/** `turnpike lifetime`: how long a mapping lives after a single exchange and after a stream, and what to do about it. */

import { Command } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import type { Host } from '../core/host.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { Ladder, LifetimeReport } from '../probe/lifetime.ts'
import type { ServerUri } from '../stun/uri.ts'
import { type End, type ExitCode, exitCodes } from './exit-codes.ts'
import { interruptible } from './interrupt.ts'
import { addOutputFlags, type OutputFlags, show } from './output.ts'
import { integerBetween } from './parse-options.ts'
import { parseStunUri } from './parse-uris.ts'
import type { Block, Cell } from './screen/blocks.ts'
import { progressOn } from './screen/progress.ts'

interface LifetimeFlags extends OutputFlags {
  readonly longest: number
}

export function lifetimeCommand(end: End): Command {
  const command = new Command('lifetime')
    .argument('<stun-uri>', 'a server that answers to RESPONSE-PORT (RFC 5780)', parseStunUri)
    .option('--longest <seconds>', 'the longest silence to try', integerBetween(10, 300, 'seconds'), 300)
  return addOutputFlags(command, {
    schema: 'lifetime-1',
    verbose: 'why a silence could not be tried',
  }).action(async (uri: ServerUri, flags: LifetimeFlags) => {
    end(await runLifetime(uri, flags))
  })
}

async function runLifetime(uri: ServerUri, flags: LifetimeFlags): Promise<ExitCode> {
  const [{ NodeHost }, { defaultLadder, probeLifetime }] = await Promise.all([
    import('../net/node-host.ts'),
    import('../probe/lifetime.ts'),
  ])
  const host = new NodeHost()
  const progress = progressOn(process.stderr, process.env)
  return interruptible(async ({ signal }) => {
    const report = await probeLifetime(host, {
      server: await addressOf(host, uri),
      ladder: defaultLadder.filter((seconds) => seconds <= flags.longest),
      signal,
      onStep: (text) => progress.show(`turnpike lifetime: ${text} …`),
    })
    progress.clear()
    const shown = flags.anonymize === true ? { ...report, server: 'a server' } : report
    await show(shown, lifetimeScreen(shown, { verbose: flags.verbose === true }), flags)
    return signal.aborted ? exitCodes.interrupted : exitCodeOfLifetime(report)
  })
}

export function exitCodeOfLifetime({ keepaliveS, single }: LifetimeReport): ExitCode {
  if (single.reason === 'the server does not answer') return exitCodes.unreachable
  return keepaliveS === null ? exitCodes.inconclusive : exitCodes.success
}

async function addressOf(host: Host, uri: ServerUri): Promise<TransportAddress> {
  const { resolveServer } = await import('../net/resolve-server.ts')
  return new Promise((resolve, reject) => {
    resolveServer(host, uri, { transports: ['udp'] }, (result) => {
      if (result.type === 'resolved') resolve(result.servers[0]!.address)
      else
        reject(new TurnpikeError('configuration-invalid', `${uri.host} does not resolve (${result.reason})`))
    })
  })
}

export function lifetimeScreen(
  { single, stream, keepaliveS, server }: LifetimeReport,
  { verbose }: { readonly verbose: boolean } = { verbose: false },
): Block[] {
  const summary =
    keepaliveS === null
      ? 'How long mappings live could not be told.'
      : keepaliveS === 0
        ? 'Mappings live less than the shortest silence that was tried.'
        : `Send something every ${keepaliveS} s to keep any mapping.`
  const cells = (ladder: Ladder): Cell[] =>
    ladder.rungs.map(({ alive }) => ({
      mark: alive.value === null ? 'unknown' : alive.value ? 'ok' : 'failed',
    }))
  return [
    { type: 'title', left: `turnpike lifetime · ${server}` },
    { type: 'verdict', mark: keepaliveS === null ? 'unknown' : 'ok', sentences: [summary] },
    {
      type: 'facts',
      facts: [
        { label: 'After one exchange', value: lifeOf(single) },
        { label: 'After a stream', value: lifeOf(stream) },
      ],
    },
    {
      type: 'table',
      name: 'ladder',
      columns: ['Silence', ...single.rungs.map(({ seconds }) => `${seconds}s`)],
      rows: [
        ['one exchange', ...cells(single)],
        ['stream', ...cells(stream)],
      ],
    },
    ...(verbose ? [reasonTable(single, stream)] : []),
  ]
}

function reasonTable(single: Ladder, stream: Ladder): Block {
  const rowsOf = (name: string, { rungs }: Ladder) =>
    rungs.map(({ seconds, alive }): Cell[] => [
      name,
      `${seconds} s`,
      alive.reason ?? (alive.value === true ? 'alive' : 'gone'),
    ])
  return {
    type: 'table',
    name: 'rung',
    columns: ['After', 'Silence', 'Result'],
    right: [1],
    rows: [...rowsOf('one exchange', single), ...rowsOf('stream', stream)],
  }
}

function lifeOf({ aliveS, deadS, reason }: Ladder): Cell {
  if (aliveS === null) return { mark: 'unknown', text: reason ?? 'not known' }
  if (deadS === null) return `more than ${aliveS} s`
  return aliveS === 0 ? `less than ${deadS} s` : `between ${aliveS} and ${deadS} s`
}
