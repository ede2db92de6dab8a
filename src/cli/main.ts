/** The command line: which command, and what becomes of its errors. */

import { Command, CommanderError } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import { type CommandEntry, commands } from './commands.ts'
import { type End, type ExitCode, exitCodes } from './exit-codes.ts'
import { version } from './version.ts'

/** Runs the command and gives the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  let code: ExitCode = exitCodes.success
  const end: End = (value) => {
    code = value
  }
  try {
    const program = await programOf((name) => argv.includes(name), end)
    await program.parseAsync(argv, { from: 'user' })
    return code
  } catch (error) {
    const failed = tell(error)
    if (failed === exitCodes.success || !isPlugin(argv)) return failed
    const { nagiosFault } = await import('./check-monitoring.ts')
    const { line, code: unknown } = nagiosFault(messageOf(error))
    process.stdout.write(line)
    return unknown
  }
}

/** Says on stderr what it was, unless commander has. */
function tell(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.success : exitCodes.usage
  if (error instanceof TurnpikeError) {
    process.stderr.write(`turnpike: ${error.message}\n`)
    return isUsage(error) ? exitCodes.usage : exitCodes.failed
  }
  process.stderr.write(`turnpike: a fault of its own, please report it:\n${traceOf(error)}\n`)
  return exitCodes.internal
}

/** Whoever reads a Nagios plug-in takes our codes for others: 2 would be CRITICAL. */
function isPlugin(argv: readonly string[]): boolean {
  return argv[0] === 'check' && argv.includes('--nagios')
}

/** The whole description of the command line; commands that are not needed have a name and a description only. */
export async function programOf(isNeeded: (name: string) => boolean, end: End): Promise<Command> {
  const program = new Command('turnpike')
    .description('A self-hosted STUN/TURN server, a NAT prober and a headless WebRTC peer.')
    .version(version())
    .showSuggestionAfterError()
    // The longest flags leave less than the 40 columns that commander wants before it wraps; a terminal would cut words.
    .configureHelp({ minWidthToWrap: 24 })
    .showHelpAfterError('(turnpike --help lists the commands, turnpike COMMAND --help the flags)')
    .exitOverride()
  for (const entry of commands) {
    const whole = () => programOf(() => true, end)
    const command = isNeeded(entry.name) ? await entry.load(end, whole) : stubOf(entry)
    program.addCommand(command.description(entry.description).copyInheritedSettings(program))
  }
  return program
}

function stubOf({ name }: CommandEntry): Command {
  return new Command(name).usage('[options]')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function traceOf(error: unknown): string {
  return error instanceof Error ? `${error.stack}` : String(error)
}

function isUsage(error: TurnpikeError): boolean {
  return (
    error.code === 'configuration-invalid' ||
    error.code === 'no-credentials' ||
    error.code === 'address-invalid' ||
    error.code === 'uri-invalid'
  )
}
