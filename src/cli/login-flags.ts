/** The flags by which a client logs in at a TURN server: a user with a password, or a secret that mints both. */

import type { Command } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import { mintCredentials } from '../turn/shared-secret.ts'
import { promptSecret, readSecret } from './secret-input.ts'

export interface LoginFlags {
  readonly user?: string
  readonly password?: string
  readonly passwordFile?: string
  readonly secretFile?: string
}

export interface Login {
  readonly username: string
  readonly password: string
}

/** Limit: minted for this run only; a command that runs for longer says how long. */
const mintedSeconds = 600

export function addLoginFlags(command: Command, what = ''): Command {
  return command
    .option('-u, --user <name>', `the user${what}; its password is asked for unless a file has it`)
    .option('--password-file <file>', 'a file with the password, - for standard input')
    .option(
      '--secret-file <file>',
      'log in with a name and password minted from this secret (TURN REST API), - too',
    )
    .option('-w, --password <text>', 'the password, in sight of every user of this machine (ps)')
}

/** Undefined when no flag asks for a login. Throws `configuration-invalid`. */
export async function loginOf(
  flags: LoginFlags,
  epochSeconds: number,
  seconds = mintedSeconds,
): Promise<Login | undefined> {
  const { user, password, passwordFile, secretFile } = flags
  if (secretFile !== undefined) {
    if (password !== undefined || passwordFile !== undefined)
      throw bad('--secret-file makes the password itself')
    const secret = readSecret('--secret-file', secretFile)
    return mintCredentials(secret, user ?? 'turnpike', epochSeconds + seconds)
  }
  if (user === undefined) {
    if (password === undefined && passwordFile === undefined) return undefined
    throw bad('--user and --password-file come together')
  }
  if (password !== undefined && passwordFile !== undefined) {
    throw bad('--password and --password-file are two passwords')
  }
  if (password !== undefined) {
    process.stderr.write('turnpike: --password can be seen in ps; --password-file FILE cannot\n')
    return { username: user, password }
  }
  if (passwordFile !== undefined)
    return { username: user, password: readSecret('--password-file', passwordFile) }
  const typed = await promptSecret(`Password of ${user}: `)
  if (typed !== undefined && typed !== '') return { username: user, password: typed }
  throw bad('--user needs a password: --password-file FILE, or - for standard input')
}

function bad(message: string): TurnpikeError {
  return new TurnpikeError('configuration-invalid', message)
}
