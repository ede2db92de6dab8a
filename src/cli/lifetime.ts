/** `turnpike lifetime`: how long a mapping lives after a single exchange and after a stream, and what to do about it. */

import { Command } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import type { Host } from '../core/host.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import type { Ladder, LifetimeReport } from '../probe/lifetime.ts'
import type { ServerUri } from '../stun/uri.ts'
import { type End, exitCodes } from './exit-codes.ts'
import { parseStunUri } from './nat.ts'
import { integerBetween } from './parse-options.ts'
import type { Block, Cell } from './screen/blocks.ts'
import { progressOn } from './screen/progress.ts'
import { render } from './screen/render.ts'
import { terminalOf } from './screen/terminal.ts'

interface LifetimeFlags {
  readonly longest: number
  readonly json?: boolean
  readonly plain?: boolean
  readonly color?: boolean
}

export function lifetimeCommand(end: End): Command {
  return new Command('lifetime')
    .argument('<stun-uri>', 'a server that answers to RESPONSE-PORT (RFC 5780)', parseStunUri)
    .option('--longest <seconds>', 'the longest silence to try', integerBetween(10, 300, 'seconds'), 300)
    .option('--json', 'the report as JSON')
    .option('--plain', 'one record a line')
    .option('--no-color', 'no colours')
    .action(async (uri: ServerUri, flags: LifetimeFlags) => {
      const [{ NodeHost }, { defaultLadder, probeLifetime }] = await Promise.all([
        import('../net/node-host.ts'),
        import('../probe/lifetime.ts'),
      ])
      const host = new NodeHost()
      const progress = progressOn(process.stderr, process.env)
      const interrupted = new AbortController()
      const interrupt = () => interrupted.abort()
      process.once('SIGINT', interrupt)
      try {
        const report = await probeLifetime(host, {
          server: await addressOf(host, uri),
          ladder: defaultLadder.filter((seconds) => seconds <= flags.longest),
          signal: interrupted.signal,
          onStep: (text) => progress.show(`turnpike lifetime: ${text} …`),
        })
        progress.clear()
        const terminal = terminalOf(process.stdout, process.env, flags)
        const text =
          flags.json === true
            ? `${JSON.stringify(report, null, 2)}\n`
            : render(lifetimeScreen(report), terminal)
        process.stdout.write(text)
        if (interrupted.signal.aborted) end(exitCodes.interrupted)
        else if (report.keepaliveS === null) end(exitCodes.inconclusive)
      } finally {
        process.off('SIGINT', interrupt)
      }
    })
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

export function lifetimeScreen({ single, stream, keepaliveS, server }: LifetimeReport): Block[] {
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
  ]
}

function lifeOf({ aliveS, deadS, reason }: Ladder): Cell {
  if (aliveS === null) return { mark: 'unknown', text: reason ?? 'not known' }
  if (deadS === null) return `more than ${aliveS} s`
  return aliveS === 0 ? `less than ${deadS} s` : `between ${aliveS} and ${deadS} s`
}
