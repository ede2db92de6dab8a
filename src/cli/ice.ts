/** `turnpike ice`: the candidates that an agent gathers here. */

import { Command } from 'commander'
import type { IceReport } from '../probe/ice.ts'
import { formatServerUri, type ServerUri } from '../stun/uri.ts'
import { type End, type ExitCode, exitCodes } from './exit-codes.ts'
import { iceScreen } from './ice-screen.ts'
import { interruptible } from './interrupt.ts'
import { addLoginFlags, type Login, type LoginFlags, loginOf } from './login-flags.ts'
import { addOutputFlags, type OutputFlags, show } from './output.ts'
import { parseAnyUri, severalUris } from './parse-uris.ts'
import { progressOn } from './screen/progress.ts'
import { version } from './version.ts'

interface IceFlags extends LoginFlags, OutputFlags {
  readonly server?: readonly ServerUri[]
  readonly tcp?: boolean
  readonly loopback?: boolean
}

export function iceCommand(end: End): Command {
  const command = new Command('ice').option(
    '--server <uri>',
    'a STUN or TURN server to ask, such as stun:stun.example.org; repeatable',
    severalUris(parseAnyUri),
  )
  addLoginFlags(command, ' at the TURN servers')
  command
    .option('--tcp', 'host candidates over TCP too (RFC 6544)')
    .option('--loopback', 'loopback addresses too, which ICE leaves out')
  return addOutputFlags(command, {
    schema: 'ice-1',
    verbose: 'priorities, foundations and related addresses',
    hasPage: true,
  })
    .addHelpText(
      'after',
      `
Example:
  $ turnpike ice --server stun:stun.example.org \\
      --server turn:turn.example.org --user me`,
    )
    .action(async (flags: IceFlags) => {
      end(await runIce(flags))
    })
}

async function runIce(flags: IceFlags): Promise<ExitCode> {
  const [{ NodeHost }, { gatherCandidates }, { anonymizedIce }] = await Promise.all([
    import('../net/node-host.ts'),
    import('../probe/ice.ts'),
    import('../probe/anonymize.ts'),
  ])
  const host = new NodeHost()
  const login = await loginOf(flags, host.clock.epochSeconds())
  const progress = progressOn(process.stderr, process.env)
  return interruptible(async ({ signal }) => {
    let count = 0
    progress.show('turnpike ice: gathering …')
    const report = await gatherCandidates(host, {
      servers: (flags.server ?? []).map((uri) => serverOf(uri, login)),
      interfaces: flags.loopback === true ? { loopback: true } : undefined,
      tcp: flags.tcp,
      tool: `turnpike ${version()}`,
      signal,
      onCandidate: () => progress.show(`turnpike ice: ${++count} candidates …`),
    })
    progress.clear()
    const shown = flags.anonymize === true ? anonymizedIce(report) : report
    await show(shown, iceScreen(shown, { verbose: flags.verbose === true }), flags)
    return signal.aborted ? exitCodes.interrupted : exitCodeOfIce(report)
  })
}

function serverOf(uri: ServerUri, login: Login | undefined) {
  const urls = formatServerUri(uri)
  return login === undefined ? { urls } : { urls, username: login.username, credential: login.password }
}

export function exitCodeOfIce({ servers, candidates, isPartial }: IceReport): ExitCode {
  const failed = servers.filter(({ error }) => error !== null)
  if (failed.length > 0 && failed.length === servers.length && failed.every(({ code }) => code === 701)) {
    return exitCodes.unreachable
  }
  if (failed.some(({ code }) => code === 401 || code === 441)) return exitCodes.unauthorized
  if (failed.length > 0 || candidates.length === 0) return exitCodes.failed
  return isPartial ? exitCodes.inconclusive : exitCodes.success
}
