/** `turnpike credentials`: credentials for a time (TURN REST API), as the iceServers that RTCPeerConnection takes. */

import { Command, InvalidArgumentError } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import { formatServerUri, type ServerUri } from '../stun/uri.ts'
import { mintCredentials } from '../turn/shared-secret.ts'
import { parseAnyUri, severalUris } from './parse-uris.ts'
import { promptSecret, readSecret } from './secret-input.ts'

interface CredentialsFlags {
  readonly secretFile?: string
  readonly userId?: string
  readonly ttl: number
}

const defaultTtl = 86_400

export function credentialsCommand(): Command {
  return new Command('credentials')
    .argument('<uri...>', 'the URIs to hand out, such as turn:turn.example.org', severalUris(parseAnyUri))
    .option(
      '--secret-file <file>',
      'the secret of the server (serve --secret-file, coturn: static-auth-secret), - for standard input; else it is asked for',
    )
    .option('--user-id <id>', 'whom they are for: quotas count by it', parseUserId)
    .option('--ttl <time>', 'how long they are good: 3600, 90m, 24h, 7d (default: 24h)', parseTtl, defaultTtl)
    .addHelpText(
      'after',
      `
Example:
  $ turnpike credentials turn:turn.example.org turns:turn.example.org \\
      --secret-file secret --user-id alice`,
    )
    .action(async (uris: readonly ServerUri[], flags: CredentialsFlags) => {
      const secret = await secretOf(flags)
      const expiresAt = Math.floor(Date.now() / 1000) + flags.ttl
      const { username, password } = mintCredentials(secret, flags.userId, expiresAt)
      const [stun, turn] = [uris.filter(isStun), uris.filter((uri) => !isStun(uri))].map((some) =>
        some.map(formatServerUri),
      )
      const iceServers = [
        ...(stun!.length === 0 ? [] : [{ urls: stun }]),
        ...(turn!.length === 0 ? [] : [{ urls: turn, username, credential: password }]),
      ]
      process.stdout.write(`${JSON.stringify({ iceServers }, null, 2)}\n`)
      if (process.stderr.isTTY) {
        const until = new Date(expiresAt * 1000).toISOString().replace('T', ' ').slice(0, 16)
        process.stderr.write(`good until ${until} UTC\n`)
      }
    })
}

function isStun({ scheme }: ServerUri): boolean {
  return scheme === 'stun' || scheme === 'stuns'
}

async function secretOf({ secretFile }: CredentialsFlags): Promise<string> {
  // A file of the server may have several: the first is the one to mint with.
  const given =
    secretFile === undefined
      ? await promptSecret('Secret of the server: ')
      : readSecret('--secret-file', secretFile).split(/\r?\n/)[0]
  if (given !== undefined && given.trim() !== '') return given
  throw new TurnpikeError(
    'configuration-invalid',
    'credentials are made with the secret of the server: --secret-file FILE, or - for standard input',
  )
}

function parseUserId(text: string): string {
  if (/^[^\p{C}]{1,400}$/u.test(text)) return text
  throw new InvalidArgumentError('a user id is 1-400 characters, none of them a control character')
}

const unitSeconds: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

function parseTtl(text: string): number {
  const [, count, unit = ''] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? []
  const seconds = Number(count) * unitSeconds[unit]!
  if (count !== undefined && seconds >= 1 && seconds <= 315_360_000) return seconds
  throw new InvalidArgumentError(
    `${JSON.stringify(text)} is not a time from 1 s to ten years; write 3600, 90m, 24h or 7d`,
  )
}
