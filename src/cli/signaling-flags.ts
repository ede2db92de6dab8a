/** The flags of `turnpike serve` that open signaling beside it, and what peers that join are told of the servers. */

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Command, InvalidArgumentError } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import type { Host, TlsCertificate } from '../core/host.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { type CertificateFiles, CertificateWatch, readCertificates } from '../server/certificates.ts'
import type { ListenAddress, ServeConfig } from '../server/config.ts'
import type { Log } from '../server/log.ts'
import type { RunningServer } from '../server/server.ts'
import { isLoopback, isWildcard } from '../server/wildcard.ts'
import type { Site } from '../signaling/site.ts'
import { parseServerUri } from '../stun/uri.ts'
import { readSecretFile } from './parse-credentials.ts'
import { repeatable } from './parse-options.ts'

export interface SignalingAddress {
  readonly isSecure: boolean
  readonly address: TransportAddress
}

export interface SignalingFlags {
  readonly signaling?: SignalingAddress
  readonly signalingKeyFile?: string
  readonly signalingOrigin?: readonly string[]
  readonly iceUrl?: readonly string[]
}

/** Limit: a call that is set up later than this asks for fresh ones. */
const credentialSeconds = 3600

export function addSignalingFlags(command: Command): Command {
  return command
    .option(
      '--signaling <url>',
      'serve signaling and its page there too, such as http://127.0.0.1:3480 or https://0.0.0.0:443',
      parseSignaling,
    )
    .option('--signaling-key-file <file>', 'who joins a room has to show the key in this file')
    .option(
      '--signaling-origin <origin>',
      'let pages from elsewhere join, such as https://app.example.org, or "*"; repeatable',
      repeatable(parseOrigin),
    )
    .option(
      '--ice-url <uri>',
      'tell peers of this stun: or turn: URI instead of the listening addresses; repeatable',
      repeatable(parseIceUrl),
    )
}

/** Opens signaling if the flags ask for it. Rejects with a TurnpikeError that says what to do. */
export async function openSignaling(
  flags: SignalingFlags,
  config: ServeConfig,
  server: RunningServer,
  host: Host,
  log: Log,
): Promise<Site | undefined> {
  const { signaling } = flags
  if (signaling === undefined) return undefined
  const [secret] = config.secrets
  if (secret === undefined) {
    throw new TurnpikeError(
      'configuration-invalid',
      '--signaling gives every peer TURN credentials of its own: it needs a --secret-file or --secret to make them with',
    )
  }
  const certificates = signaling.isSecure ? certificatesOf(config.tlsCertificates) : []
  const files = pageFolder()
  if (files === undefined) log.warn('the page is not built: npm run build; signaling is served without it')
  const key = keyOf(flags, log)
  if (key === undefined && !isLoopback(signaling.address)) {
    log.warn('everybody who joins is given TURN credentials: --signaling-key-file FILE asks for a key')
  }
  const { openSite } = await import('../signaling/site.ts')
  const site = await openSite(
    {
      address: signaling.address,
      tls: certificates[0],
      secret,
      iceUrls: flags.iceUrl ?? iceUrlsOf(server),
      credentialSeconds: Math.min(credentialSeconds, config.maxCredentialTtl || credentialSeconds),
      key,
      origins: flags.signalingOrigin,
      files,
    },
    host,
    {
      joined: (peer, room) => log.info('peer joined', { peer: peer.id, name: peer.name, room }),
      left: (peer, room, reason) => log.info('peer left', { peer: peer.id, room, reason }),
      refused: (address, reason) => log.debug('signaling refused', { address, reason }),
    },
  )
  if (!signaling.isSecure) return site
  const apply = ([certificate]: readonly TlsCertificate[]) => site.setCertificate(certificate!)
  const watch = new CertificateWatch(config.tlsCertificates, certificates, apply, host.clock, log)
  return {
    ...site,
    close: () => {
      watch.close()
      return site.close()
    },
  }
}

function certificatesOf(files: readonly CertificateFiles[]): TlsCertificate[] {
  if (files.length > 0) return readCertificates(files)
  throw new TurnpikeError('configuration-invalid', '--signaling https:// needs --tls-cert and --tls-key')
}

/** `stun:` and `turn:` URIs of the listeners; a wildcard is reached at what clients are told of the relay addresses. */
export function iceUrlsOf({ listeners, relays }: Pick<RunningServer, 'listeners' | 'relays'>): string[] {
  const urls = listeners.flatMap(({ transport, address }) => {
    const hosts = isWildcard(address)
      ? relays.filter(({ external }) => external.family === address.family).map(({ external }) => external)
      : [address]
    return hosts.flatMap((host) => urlsOf(transport, host.withPort(address.port)))
  })
  return [...new Set(urls)]
}

function urlsOf(transport: ListenAddress['transport'], address: TransportAddress): string[] {
  switch (transport) {
    case 'udp':
      return [`stun:${address}`, `turn:${address}`]
    case 'tcp':
      return [`turn:${address}?transport=tcp`]
    case 'tls':
      return [`turns:${address}?transport=tcp`]
  }
}

function keyOf({ signalingKeyFile: file }: SignalingFlags, log: Log): string | undefined {
  if (file === undefined) return undefined
  const key = readSecretFile('--signaling-key-file', file, (message) => log.warn(message)).trim()
  if (key !== '') return key
  throw new TurnpikeError('configuration-invalid', `--signaling-key-file ${JSON.stringify(file)} is empty`)
}

/** Where the built page lies, whether this runs from the sources or from dist/. */
function pageFolder(): string | undefined {
  return ['../../dist/web', '../../web']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((folder) => existsSync(`${folder}/assets`))
}

export function parseSignaling(text: string): SignalingAddress {
  const match = /^(https?):\/\/([^/]+)\/?$/.exec(text)
  try {
    if (match !== null) return { isSecure: match[1] === 'https', address: TransportAddress.parse(match[2]!) }
  } catch {
    // Said below, with the form that is right.
  }
  throw new InvalidArgumentError(
    `${JSON.stringify(text)} is not an address to serve at; write http://127.0.0.1:3480 or https://0.0.0.0:443`,
  )
}

function parseOrigin(text: string): string {
  if (text === '*' || (URL.canParse(text) && new URL(text).origin === text)) return text
  throw new InvalidArgumentError(
    `${JSON.stringify(text)} is not an origin; write https://app.example.org or "*"`,
  )
}

function parseIceUrl(text: string): string {
  try {
    parseServerUri(text)
    return text
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}
