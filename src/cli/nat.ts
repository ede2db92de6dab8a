/** `turnpike nat`: what kind of NAT this is, what follows from it, and the evidence. */

import { Command, InvalidArgumentError } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import { anonymized } from '../probe/anonymize.ts'
import type { NatProbeOptions } from '../probe/nat.ts'
import type { FamilyName, ProbeReport } from '../probe/report.ts'
import { parseServerUri, type ServerUri } from '../stun/uri.ts'
import { clientCredentialsOf } from './client-credentials.ts'
import { type End, type ExitCode, exitCodes } from './exit-codes.ts'
import { natScreen } from './nat-screen.ts'
import { progressOn } from './screen/progress.ts'
import { render } from './screen/render.ts'
import { terminalOf } from './screen/terminal.ts'
import { version } from './version.ts'

/** Asked only with --public: servers that others run for everybody. */
const publicServers = ['stun:stun.l.google.com:19302', 'stun:stun.cloudflare.com:3478']

const requirements = ['udp', 'eim', 'direct', 'ipv6'] as const
type Requirement = (typeof requirements)[number]

interface NatFlags {
  readonly public?: boolean
  readonly turn?: ServerUri
  readonly user?: string
  readonly passwordFile?: string
  readonly hairpin?: boolean
  readonly require?: readonly Requirement[]
  readonly json?: boolean
  readonly anonymize?: boolean
  readonly verbose?: boolean
  readonly plain?: boolean
  readonly color?: boolean
  readonly ipv4?: boolean
  readonly ipv6?: boolean
}

export function natCommand(end: End): Command {
  return new Command('nat')
    .argument('[stun-uri...]', 'servers to ask, such as stun:stun.example.org', parseUris)
    .option('--public', `ask public servers too: ${publicServers.join(', ')}`)
    .option(
      '--turn <uri>',
      'measure from a relay of this TURN server where no server has RFC 5780',
      parseTurn,
    )
    .option('--user <name>', 'for --turn')
    .option('--password-file <file>', 'for --turn: a file with the password, - for standard input')
    .option('--hairpin', 'test hairpinning, and count NATs by it; some firewalls take that for an attack')
    .option('--require <list>', `exit 1 unless these hold: ${requirements.join(', ')}`, parseRequirements)
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .option('--json', 'the whole report (docs/schemas/nat-1.schema.json)')
    .option('--anonymize', 'hide addresses, for reports in public')
    .option('-v, --verbose', 'every observation')
    .option('--plain', 'one record a line')
    .option('--no-color', 'no colours')
    .addHelpText(
      'after',
      `
Examples:
  $ turnpike nat stun:stun.example.org
  $ turnpike nat stun:one.example.org --turn turn:two.example.org --user me --password-file pw
  $ turnpike nat stun:stun.example.org --json > a.json`,
    )
    .action(async (uris: readonly ServerUri[], flags: NatFlags) => {
      end(await runNat(uris ?? [], flags))
    })
}

async function runNat(uris: readonly ServerUri[], flags: NatFlags): Promise<ExitCode> {
  const options = optionsOf(uris, flags)
  const [{ NodeHost }, { probeNat }] = await Promise.all([
    import('../net/node-host.ts'),
    import('../probe/nat.ts'),
  ])
  const progress = progressOn(process.stderr, process.env)
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort()
  process.once('SIGINT', interrupt)
  try {
    const measured = await probeNat(new NodeHost(), {
      ...options,
      signal: interrupted.signal,
      onStep: (text) => progress.show(`turnpike nat: ${text} …`),
    })
    progress.clear()
    const report = flags.anonymize === true ? anonymized(measured) : measured
    process.stdout.write(textOf(report, flags))
    if (interrupted.signal.aborted) return exitCodes.interrupted
    return exitCodeOf(measured, flags.require ?? [])
  } finally {
    process.off('SIGINT', interrupt)
  }
}

function textOf(report: ProbeReport, flags: NatFlags): string {
  if (flags.json === true) return `${JSON.stringify(report, null, 2)}\n`
  const terminal = terminalOf(process.stdout, process.env, flags)
  return render(natScreen(report, { verbose: flags.verbose === true }), terminal)
}

function optionsOf(uris: readonly ServerUri[], flags: NatFlags): NatProbeOptions {
  const servers = [...uris, ...(flags.public === true ? publicServers.map(parseServerUri) : [])]
  if (servers.length === 0) {
    throw new TurnpikeError(
      'configuration-invalid',
      'name a STUN server, such as stun:stun.example.org; --public asks public ones',
    )
  }
  const families: FamilyName[] = [
    ...(flags.ipv6 === true ? [] : (['udp4', 'tcp4'] as const)),
    ...(flags.ipv4 === true ? [] : (['udp6', 'tcp6'] as const)),
  ]
  return {
    servers,
    families,
    hairpin: flags.hairpin,
    turn: flags.turn && {
      uri: flags.turn,
      credentials: clientCredentialsOf(flags),
    },
    tool: `turnpike ${version()}`,
  }
}

/** 0 for any kind of NAT: that is no error of anybody's. */
export function exitCodeOf({ families, verdict }: ProbeReport, required: readonly Requirement[]): ExitCode {
  const all = Object.values(families)
  const holds: Readonly<Record<Requirement, boolean | null>> = {
    udp: families.udp4?.reachable.value ?? families.udp6?.reachable.value ?? null,
    eim:
      families.udp4?.nat == null || families.udp4.nat.mapping.value === null
        ? null
        : families.udp4.nat.mapping.value === 'EIM',
    direct: verdict.direct === 'unknown' ? null : verdict.direct === 'likely',
    ipv6: families.udp6?.reachable.value ?? families.tcp6?.reachable.value ?? false,
  }
  const results = required.map((name) => holds[name])
  if (results.includes(false)) return exitCodes.failed
  if (!all.some(({ reachable }) => reachable.value === true)) return exitCodes.unreachable
  return results.includes(null) ? exitCodes.inconclusive : exitCodes.success
}

function parseUris(text: string, previous: readonly ServerUri[] | undefined): readonly ServerUri[] {
  return [...(previous ?? []), parseStunUri(text)]
}

export function parseStunUri(text: string): ServerUri {
  return parseUri(text, 'stun')
}

function parseTurn(text: string): ServerUri {
  return parseUri(text, 'turn')
}

function parseUri(text: string, scheme: 'stun' | 'turn'): ServerUri {
  try {
    const uri = parseServerUri(
      text.includes(':') && /^(stun|turn)s?:/i.test(text) ? text : `${scheme}:${text}`,
    )
    if (uri.scheme.startsWith(scheme) && (scheme === 'turn' || uri.scheme === 'stun')) return uri
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
  throw new InvalidArgumentError(
    `${JSON.stringify(text)}: write ${scheme}:example.org or ${scheme}:192.0.2.1:3478`,
  )
}

function parseRequirements(text: string): readonly Requirement[] {
  return text.split(',').map((name) => {
    const found = requirements.find((one) => one === name.trim())
    if (found !== undefined) return found
    throw new InvalidArgumentError(`${JSON.stringify(name)} is none of ${requirements.join(', ')}`)
  })
}
