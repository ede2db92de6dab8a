/** The command line: which command, and what becomes of its errors. */

import { Command, CommanderError } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import { type End, type ExitCode, exitCodes } from './exit-codes.ts'
import { lifetimeCommand } from './lifetime.ts'
import { natCommand } from './nat.ts'
import { peerCommand } from './peer.ts'
import { predictCommand } from './predict.ts'
import { serveCommand } from './serve.ts'
import { version } from './version.ts'

/** Commands that find something out, and say by the exit code what it was. */
const commands: readonly ((end: End) => Command)[] = [natCommand, lifetimeCommand, predictCommand]

/** Runs the command and gives the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('turnpike')
    .description('A self-hosted STUN/TURN server, a NAT prober and a headless WebRTC peer.')
    .version(version())
    .showSuggestionAfterError()
    .showHelpAfterError('(turnpike --help lists the commands, turnpike COMMAND --help the flags)')
    .exitOverride()
  let code: ExitCode = exitCodes.success
  const end: End = (value) => {
    code = value
  }
  for (const command of [serveCommand(), peerCommand(), ...commands.map((make) => make(end))]) {
    program.addCommand(command.copyInheritedSettings(program))
  }
  try {
    await program.parseAsync(argv, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.success : exitCodes.usage
    if (!(error instanceof TurnpikeError)) throw error
    process.stderr.write(`turnpike: ${error.message}\n`)
    return isUsage(error) ? exitCodes.usage : exitCodes.failed
  }
}

function isUsage(error: TurnpikeError): boolean {
  return (
    error.code === 'configuration-invalid' ||
    error.code === 'no-credentials' ||
    error.code === 'address-invalid' ||
    error.code === 'uri-invalid'
  )
}
