/** `turnpike nat`: what kind of NAT this is, what follows from it, and the evidence. */

import { Command } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import { anonymized } from '../probe/anonymize.ts'
import type { CheckReport } from '../probe/check/report.ts'
import type { FamilyName, ProbeReport } from '../probe/report.ts'
import { parseServerUri, type ServerUri } from '../stun/uri.ts'
import { type End, type ExitCode, exitCodes } from './exit-codes.ts'
import { interruptible } from './interrupt.ts'
import { addLoginFlags, type LoginFlags, loginOf } from './login-flags.ts'
import { natScreen } from './nat-screen.ts'
import { addOutputFlags, type OutputFlags, show } from './output.ts'
import { parseStunUri, parseTurnUri, severalUris } from './parse-uris.ts'
import {
  checkRequirements,
  holdsOfCheck,
  judgeRequirements,
  type Requirement,
  requireOption,
} from './requirements.ts'
import { progressOn } from './screen/progress.ts'
import { version } from './version.ts'

/** Asked only with --public: servers that others run for everybody. */
const publicServers = ['stun:stun.l.google.com:19302', 'stun:stun.cloudflare.com:3478']

const requirements = ['udp', 'eim', 'direct', ...checkRequirements] as const
type NatRequirement = (typeof requirements)[number]
interface NatFlags extends LoginFlags, OutputFlags {
  readonly public?: boolean
  readonly turn?: ServerUri
  readonly hairpin?: boolean
  readonly require?: readonly Requirement<NatRequirement>[]
  readonly ipv4?: boolean
  readonly ipv6?: boolean
}

export function natCommand(end: End): Command {
  const command = new Command('nat')
    .argument('[stun-uri...]', 'servers to ask, such as stun:stun.example.org', severalUris(parseStunUri))
    .option('--public', `ask public servers too: ${publicServers.join(', ')}`)
    .option(
      '--turn <uri>',
      'measure from a relay of this TURN server where no server has RFC 5780',
      parseTurnUri,
    )
  addLoginFlags(command, ' for --turn')
    .option('--hairpin', 'test hairpinning, and count NATs by it; some firewalls take that for an attack')
    .addOption(requireOption(requirements, ['rtt', 'loss', 'cert'], ', those of TURN for --turn'))
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
  return addOutputFlags(command, { schema: 'nat-1', verbose: 'every observation', hasPage: true })
    .addHelpText(
      'after',
      `
Examples:
  $ turnpike nat stun:stun.example.org
  $ turnpike nat stun:one.example.org --turn turn:two.example.org \\
      --user me --password-file pw
  $ turnpike nat stun:stun.example.org --json > a.json`,
    )
    .action(async (uris: readonly ServerUri[], flags: NatFlags) => {
      end(await runNat(uris ?? [], flags))
    })
}

async function runNat(uris: readonly ServerUri[], flags: NatFlags): Promise<ExitCode> {
  const servers = serversOf(uris, flags)
  const required = flags.require ?? []
  const ofTurn = required.filter(isOfTurn)
  if (ofTurn.length > 0 && flags.turn === undefined) {
    throw new TurnpikeError('configuration-invalid', `--require ${ofTurn[0]!.text} needs a server: --turn`)
  }
  const [{ NodeHost }, { probeNat }, { checkTurn }] = await Promise.all([
    import('../net/node-host.ts'),
    import('../probe/nat.ts'),
    import('../probe/check/check.ts'),
  ])
  const host = new NodeHost()
  const credentials = await loginOf(flags, host.clock.epochSeconds())
  const progress = progressOn(process.stderr, process.env)
  const onStep = (text: string) => progress.show(`turnpike nat: ${text} …`)
  return interruptible(async ({ signal }) => {
    const measured = await probeNat(host, {
      servers,
      families: familiesOf(flags),
      hairpin: flags.hairpin,
      turn: flags.turn && { uri: flags.turn, credentials },
      tool: `turnpike ${version()}`,
      signal,
      onStep,
    })
    const check =
      ofTurn.length === 0 || flags.turn === undefined
        ? undefined
        : await checkTurn(host, { servers: [flags.turn], credentials, signal, onStep })
    progress.clear()
    const report = flags.anonymize === true ? anonymized(measured) : measured
    await show(report, natScreen(report, { verbose: flags.verbose === true }), flags)
    if (signal.aborted) return exitCodes.interrupted
    return exitCodeOf(measured, required, check)
  })
}

function serversOf(uris: readonly ServerUri[], flags: NatFlags): ServerUri[] {
  const servers = [...uris, ...(flags.public === true ? publicServers.map(parseServerUri) : [])]
  if (servers.length > 0) return servers
  throw new TurnpikeError(
    'configuration-invalid',
    'name a STUN server, such as stun:stun.example.org; --public asks public ones',
  )
}

function familiesOf({ ipv4, ipv6 }: NatFlags): FamilyName[] {
  return [
    ...(ipv6 === true ? [] : (['udp4', 'tcp4'] as const)),
    ...(ipv4 === true ? [] : (['udp6', 'tcp6'] as const)),
  ]
}

function isOfTurn({ name }: Requirement<NatRequirement>): boolean {
  return name.startsWith('turn-') || name === 'loss' || name === 'cert'
}

/** 0 for any kind of NAT: that is no error of anybody's. */
export function exitCodeOf(
  report: ProbeReport,
  required: readonly Requirement<NatRequirement>[],
  check?: CheckReport,
): ExitCode {
  const results = required.map((one) => holdsOf(one, report, check))
  if (results.includes(false)) return exitCodes.failed
  if (!Object.values(report.families).some(({ reachable }) => reachable.value === true)) {
    return exitCodes.unreachable
  }
  if (report.problems.some(({ code }) => code === 'turn-refused')) return exitCodes.unauthorized
  return judgeRequirements(results)
}

function holdsOf(
  required: Requirement<NatRequirement>,
  { families, verdict, servers }: ProbeReport,
  check: CheckReport | undefined,
): boolean | null {
  const { name, limit } = required
  switch (name) {
    case 'udp':
      return families.udp4?.reachable.value ?? families.udp6?.reachable.value ?? null
    case 'eim': {
      const mapping = families.udp4?.nat?.mapping.value ?? null
      return mapping === null ? null : mapping === 'EIM'
    }
    case 'direct':
      return verdict.direct === 'unknown' ? null : verdict.direct === 'likely'
    case 'ipv6':
      return families.udp6?.reachable.value ?? families.tcp6?.reachable.value ?? false
    case 'rtt': {
      const known = servers.flatMap(({ rttMs }) => (rttMs === null ? [] : [rttMs]))
      return known.length === 0 ? null : known.every((rttMs) => rttMs < limit)
    }
    default:
      return check === undefined ? null : holdsOfCheck({ ...required, name }, check)
  }
}
