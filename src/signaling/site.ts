/**
 * One HTTP address for signaling and, if there is a folder of them, the files of a page. Peers that join are told of
 * the TURN servers with credentials of their own.
 */

import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, Server as SecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize, sep } from 'node:path'
import { TurnpikeError } from '../core/errors.ts'
import type { Host, TlsCertificate } from '../core/host.ts'
import type { EpochSeconds } from '../core/time.ts'
import { TransportAddress } from '../core/transport-address.ts'
import { isAdmitted } from './access.ts'
import { iceServersOf, mintCredentials } from './ice-servers.ts'
import type { IceServer, PeerSummary } from './protocol.ts'
import { type SignalingEvents, type SignalingServer, serveSignaling } from './server.ts'

export interface SiteOptions {
  readonly address: TransportAddress
  /** Serves https and wss, which pages need for the camera unless they come from this very machine. */
  readonly tls?: TlsCertificate | undefined
  /** The secret shared with the TURN server. */
  readonly secret: string | Uint8Array
  /** `stun:` and `turn:` URIs as clients are to use them. */
  readonly iceUrls: readonly string[]
  /** How long minted credentials are good for. */
  readonly credentialSeconds: number
  /** Whoever joins has to show it, or a token minted with it; undefined admits everybody. */
  readonly key: string | undefined
  readonly origins?: readonly string[] | undefined
  /** A folder whose files are served; undefined serves signaling alone. */
  readonly files?: string | undefined
}

export interface Site {
  readonly address: TransportAddress
  readonly signaling: SignalingServer
  /** Serves new connections with this one. Throws for what is no certificate, and keeps the old one. */
  setCertificate(certificate: TlsCertificate): void
  /** Closes every connection. Resolves when the port is free. */
  close(): Promise<void>
}

export const signalingPath = '/signaling'

/** Rejects with `listen-failed` when the address cannot be had. */
export async function openSite(
  options: SiteOptions,
  host: Host,
  events: SignalingEvents = {},
): Promise<Site> {
  const { address, tls, key, origins } = options
  const handler = (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response, options.files).catch(() => response.destroy())
  }
  const http: Server =
    tls === undefined
      ? createServer(limits, handler)
      : createSecureServer({ ...limits, cert: tls.certificate, key: tls.key }, handler)
  const now = () => host.clock.epochSeconds()
  const signaling = serveSignaling(
    http,
    host,
    {
      path: signalingPath,
      iceServers: (peer) => serversFor(peer, options, now()),
      ...(key === undefined ? {} : { authorize: (message) => isAdmitted(key, message, now()) }),
      ...(origins === undefined ? {} : { origins }),
    },
    events,
  )
  try {
    await listen(http, address)
  } catch (error) {
    signaling.close()
    throw error
  }
  const bound = http.address() as AddressInfo
  return {
    address: TransportAddress.of(bound.address, bound.port),
    signaling,
    setCertificate: ({ certificate, key }) => {
      if (http instanceof SecureServer) http.setSecureContext({ cert: certificate, key })
    },
    close: () => close(http, signaling),
  }
}

/** Slow and idle requests are ended; a page is small and asked for at once. */
const limits = { requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 5_000 }

/**
 * The TURN user of all who join without a key: a quota for each user would be none, for whoever wants more would join
 * once more.
 */
const anonymousUser = 'anonymous'

function serversFor(peer: PeerSummary, options: SiteOptions, now: EpochSeconds): IceServer[] {
  const expiry = (now + options.credentialSeconds) as EpochSeconds
  const user = options.key === undefined ? anonymousUser : peer.id
  return iceServersOf(options.iceUrls, mintCredentials(options.secret, user, expiry))
}

function listen(http: Server, address: TransportAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new TurnpikeError(
          'listen-failed',
          `cannot serve signaling on ${address} (${cause.code}); --signaling http://ADDRESS:PORT chooses another`,
          { cause },
        ),
      ),
    )
    http.listen({ host: address.ip, port: address.port }, resolve)
  })
}

function close(http: Server, signaling: SignalingServer): Promise<void> {
  signaling.close()
  return new Promise((resolve) => {
    http.close(() => resolve())
    http.closeAllConnections()
  })
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
}

/** A page may load what it brings itself and talk to where it came from, and nothing else. */
const security = {
  'Content-Security-Policy':
    "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob: mediastream:; style-src 'self'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  folder: string | undefined,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { Allow: 'GET, HEAD' }).end()
    return
  }
  const file = folder === undefined ? undefined : fileOf(request.url ?? '/', folder)
  const bytes = file === undefined ? undefined : await readFile(file).catch(() => undefined)
  if (file === undefined || bytes === undefined) {
    response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not found\n')
    return
  }
  const isHashed = /-[\w-]{8}\.\w+$/.test(file)
  response.writeHead(200, {
    ...security,
    'Content-Type': types[extname(file)] ?? 'application/octet-stream',
    'Content-Length': bytes.length,
    'Cache-Control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

/** The file that a request names, never outside the folder; undefined when it names none. */
function fileOf(url: string, folder: string): string | undefined {
  const path = decode(url.split(/[?#]/, 1)[0]!)
  if (path === undefined || path.includes('\0')) return undefined
  const file = normalize(join(folder, path.endsWith('/') ? `${path}index.html` : path))
  return file.startsWith(normalize(folder) + sep) ? file : undefined
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}
