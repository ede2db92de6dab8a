/** `turnpike load`: the flags. What they ask for is in load-run.ts, and is loaded when it is wanted. */

import { Command, Option } from 'commander'
import { type LoadPlan, largestPayload, longestBurst, mostFlows, smallestPayload } from '../load/plan.ts'
import type { ServerUri } from '../stun/uri.ts'
import type { End } from './exit-codes.ts'
import type { LoadFlags } from './load-run.ts'
import { addLoginFlags } from './login-flags.ts'
import { integerBetween } from './parse-options.ts'
import { parseTurnUri } from './parse-uris.ts'

export function loadCommand(end: End): Command {
  const command = new Command('load').argument(
    '<turn-uri>',
    'the server, such as turn:127.0.0.1:3478',
    parseTurnUri,
  )
  command
    .option('--flows <n>', 'allocations, each with a channel', integerBetween(1, mostFlows, 'flows'), 50)
    .option(
      '--size <bytes>',
      'payload of each packet',
      integerBetween(smallestPayload, largestPayload, 'bytes'),
      172,
    )
    .option('--rate <n|max>', 'packets a second in all; max: as many as come back', parseRate, 10_000)
    .addOption(
      new Option('--direction <way>', 'up: clients to peer; down: peer to clients')
        .choices(['up', 'down', 'both'])
        .default('both'),
    )
    .option('--interleave', `flows take turns packet by packet, not ${longestBurst} in a row`)
    .option('--seconds <n>', 'how long to send', integerBetween(1, 86_400, 'seconds'), 10)
    .option('--allocations-only', 'make and free allocations, and send no data')
    .addOption(new Option('--transport <name>', 'to the server').choices(['udp', 'tcp', 'tls']))
  return addLoginFlags(command)
    .option(
      '--pid <pid>',
      "the server's process on this machine: tells what a packet and an allocation cost it",
      integerBetween(1, 4_194_304, 'process ids'),
    )
    .option('--yes', 'load a server that is not on loopback: it is yours, and may be loaded')
    .option('--json', 'the report as JSON (docs/schemas/load-1.schema.json)')
    .option('--plain', 'one record a line')
    .option('--no-color', 'no colours')
    .addHelpText(
      'after',
      `
Examples:
  $ turnpike load turn:127.0.0.1:3478 --user alice --password-file pw
  $ turnpike load turn:127.0.0.1:3478 --user alice --password-file pw \\
      --rate max --pid 4711
  $ turnpike load turn:127.0.0.1:3478 --secret-file secret \\
      --flows 5000 --allocations-only`,
    )
    .action(async (uri: ServerUri, flags: LoadFlags) => {
      const { runLoadCommand } = await import('./load-run.ts')
      end(await runLoadCommand(uri, planOf(flags), flags))
    })
}

function planOf(flags: LoadFlags): LoadPlan {
  return {
    flows: flags.flows,
    size: flags.size,
    rate: flags.rate === 'max' ? undefined : flags.rate,
    direction: flags.direction,
    burst: flags.interleave === true ? 1 : longestBurst,
    seconds: flags.allocationsOnly === true ? 0 : flags.seconds,
  }
}

function parseRate(text: string): number | 'max' {
  return text === 'max' ? text : integerBetween(1, 10_000_000, 'packets a second')(text)
}
