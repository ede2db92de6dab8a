/** Who a command is to a TURN server, from its flags: a name with a password out of a file, or with one made of a secret. */

import { readFileSync } from 'node:fs'
import { TurnpikeError } from '../core/errors.ts'
import { sharedSecretPassword } from '../turn/shared-secret.ts'

export interface ClientCredentialFlags {
  readonly user?: string
  readonly passwordFile?: string
  readonly secretFile?: string
}

export interface ClientCredentials {
  readonly username: string
  readonly password: string
}

/** Limit: how long a name made of a secret is good for: longer than any run of a command. */
const lifetimeSeconds = 2 * 86_400

/** undefined without flags: for servers that ask for nobody. Throws `configuration-invalid`. */
export function clientCredentialsOf({
  user,
  passwordFile,
  secretFile,
}: ClientCredentialFlags): ClientCredentials | undefined {
  if (secretFile !== undefined) {
    if (passwordFile !== undefined) {
      throw new TurnpikeError('configuration-invalid', '--secret-file takes the place of --password-file')
    }
    const username = `${Math.floor(Date.now() / 1000) + lifetimeSeconds}:${user ?? 'turnpike'}`
    return { username, password: sharedSecretPassword(username, firstLine('--secret-file', secretFile)) }
  }
  if (user === undefined && passwordFile === undefined) return undefined
  if (user === undefined || passwordFile === undefined) {
    throw new TurnpikeError('configuration-invalid', '--user and --password-file come together')
  }
  return { username: user, password: firstLine('--password-file', passwordFile) }
}

/** `-` is standard input. */
function firstLine(flag: string, file: string): string {
  let text: string
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (cause) {
    throw new TurnpikeError('configuration-invalid', `${flag} ${JSON.stringify(file)} cannot be read`, {
      cause,
    })
  }
  const [line = ''] = text.split(/\r?\n/)
  if (line !== '') return line
  throw new TurnpikeError(
    'configuration-invalid',
    `${flag} ${JSON.stringify(file)} has nothing in its first line`,
  )
}
