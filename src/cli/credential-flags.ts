/** The flags of `turnpike serve` that say who is served. */

import type { Command } from 'commander'
import type { CredentialsConfig } from '../server/credentials-config.ts'
import { defaultCredentialsConfig } from '../server/credentials-config.ts'
import type { TokenKey } from '../turn/access-token.ts'
import type { StaticUser } from '../turn/credentials.ts'
import {
  parseOauthKey,
  parseRealm,
  parseSecret,
  parseSecretFile,
  parseUser,
  parseUserFile,
  readSecretFile,
} from './parse-credentials.ts'
import { integerBetween, repeatable } from './parse-options.ts'

export interface CredentialFlags {
  readonly realm: string
  readonly user?: readonly StaticUser[]
  readonly userFile?: string
  readonly secret?: readonly Uint8Array[]
  readonly secretFile?: readonly string[]
  readonly strictExpiry?: boolean
  readonly maxCredentialTtl: number
  readonly oauthKey?: readonly TokenKey[]
  readonly oauthServerName?: string
  /** commander's form of `--no-auth`. */
  readonly auth: boolean
}

export function addCredentialFlags(command: Command): Command {
  return command
    .option('--realm <realm>', 'the name that users belong to', parseRealm, defaultCredentialsConfig.realm)
    .option(
      '--user <name:password>',
      'a user; name:0xKEY takes the MD5 key instead; repeatable',
      repeatable(parseUser),
    )
    .option('--user-file <file>', 'users as lines of name:password, out of sight of ps')
    .option(
      '--secret <text>',
      'serve who comes with a name and password made with this (TURN REST API); repeatable',
      repeatable(parseSecret),
    )
    .option(
      '--secret-file <file>',
      'secrets as lines of a file, out of sight of ps; repeatable',
      repeatable((file) => file),
    )
    .option(
      '--strict-expiry',
      'names made with a secret end for running allocations too, not for new ones only',
    )
    .option(
      '--max-credential-ttl <seconds>',
      'refuse names made with a secret that are good for longer than this from now on; 0 is no limit',
      integerBetween(0, 31_536_000, 'seconds'),
      defaultCredentialsConfig.maxCredentialTtl,
    )
    .option(
      '--oauth-key <kid:key>',
      'serve who comes with an access token sealed with this base64 key (RFC 7635); repeatable',
      repeatable(parseOauthKey),
    )
    .option(
      '--oauth-server-name <name>',
      'what access tokens have to be made for (default: the realm)',
      parseRealm,
    )
    .option('--no-auth', 'relay for everybody, without users')
}

/** Reads the files that the flags name. Throws a TurnpikeError. */
export function credentialsConfigOf(
  flags: CredentialFlags,
  warn: (message: string) => void,
): CredentialsConfig {
  const { userFile, secretFile = [] } = flags
  const fileUsers =
    userFile === undefined
      ? []
      : parseUserFile(readSecretFile('--user-file', userFile, warn), JSON.stringify(userFile))
  const fileSecrets = secretFile.flatMap((file) =>
    parseSecretFile(readSecretFile('--secret-file', file, warn), JSON.stringify(file)),
  )
  return {
    realm: flags.realm,
    users: [...(flags.user ?? []), ...fileUsers],
    secrets: [...(flags.secret ?? []), ...fileSecrets],
    strictExpiry: flags.strictExpiry === true,
    maxCredentialTtl: flags.maxCredentialTtl,
    tokenKeys: flags.oauthKey ?? [],
    serverName: flags.oauthServerName,
    noAuth: !flags.auth,
  }
}
