/** `turnpike peer --whip`, `--whep` and `--serve`: publishing and playing over HTTP (RFC 9725), at either end. */

import { createServer } from 'node:http'
import { TurnpikeError } from '../core/errors.ts'
import type { WhipOptions, WhipSession } from '../peer/whip/client.ts'
import { callFailed, iceServersOf, keyOf, openSources, type PeerFlags, untilStopped } from './peer-flags.ts'
import type { PeerScreen } from './peer-screen.ts'

export async function runWhip(url: string, flags: PeerFlags, screen: PeerScreen): Promise<void> {
  const { publish } = await import('../peer/whip/client.ts')
  const media = (await openSources(flags))!
  try {
    await runSession((options) => publish(media, options), url, flags, screen)
  } finally {
    media.close()
  }
}

export async function runWhep(url: string, flags: PeerFlags, screen: PeerScreen): Promise<void> {
  const { play } = await import('../peer/whip/client.ts')
  await runSession((options) => play({ ...options, recordTo: flags.record }), url, flags, screen)
}

/** Until it is told to stop, or the session ends. */
async function runSession(
  open: (options: WhipOptions) => Promise<WhipSession>,
  url: string,
  flags: PeerFlags,
  screen: PeerScreen,
): Promise<void> {
  const ended = untilStopped()
  const peer = { id: url, name: url }
  const iceServers = iceServersOf(flags)
  let isStopping = false
  try {
    await using session = await open({
      url,
      token: keyOf(flags),
      trickle: flags.trickle,
      iceServers: iceServers.length === 0 ? undefined : iceServers,
      configuration: { iceTransportPolicy: flags.relayOnly === true ? 'relay' : 'all' },
      handlers: {
        connected: () => screen.connected(peer),
        ended: (reason) => {
          screen.ended(peer, reason)
          if (!isStopping) ended.reject(new TurnpikeError('call-failed', `${url}: ${reason}`))
        },
      },
    })
    screen.tell('session', { url: session.url })
    screen.watch(peer.id, session)
    if (flags.seconds !== undefined) setTimeout(() => ended.resolve(), flags.seconds * 1000).unref()
    await ended.promise
    isStopping = true
  } catch (error) {
    throw callFailed(error)
  } finally {
    isStopping = true
    screen.close()
  }
}

export async function runEndpoint(url: string, flags: PeerFlags, screen: PeerScreen): Promise<void> {
  const { WhipServer } = await import('../peer/whip/server.ts')
  const { hostname, port, protocol } = new URL(url)
  if (protocol !== 'http:') {
    throw new TurnpikeError('configuration-invalid', '--serve speaks http: put a server with TLS before it')
  }
  const ended = untilStopped()
  const media = await openSources(flags)
  const nameOf = ({ id, role }: { id: string; role: string }) => ({ id, name: `${role} ${id.slice(0, 6)}` })
  await using server = new WhipServer(
    { token: keyOf(flags), media, recordTo: flags.record, iceServers: iceServersOf(flags) },
    {
      started: (session) => screen.watch(session.id, session),
      connected: (session) => screen.connected(nameOf(session)),
      ended: (session, reason) => screen.ended(nameOf(session), reason),
    },
  )
  const http = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    if (server.handle(request, response)) return
    response.writeHead(404, { 'Content-Type': 'text/plain' }).end('publish to /whip, play from /whep\n')
  })
  try {
    const bound = await listen(http, hostname.replace(/^\[|\]$/g, ''), port === '' ? 80 : Number(port), url)
    screen.tell('serving', { whip: `http://${bound}/whip`, whep: `http://${bound}/whep` })
    if (flags.seconds !== undefined) setTimeout(() => ended.resolve(), flags.seconds * 1000).unref()
    await ended.promise
  } finally {
    http.close()
    http.closeAllConnections()
    screen.close()
    media?.close()
  }
}

function listen(
  http: ReturnType<typeof createServer>,
  host: string,
  port: number,
  url: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    http.once('error', (cause: NodeJS.ErrnoException) =>
      reject(new TurnpikeError('listen-failed', `cannot serve at ${url} (${cause.code})`, { cause })),
    )
    http.listen({ host, port }, () => {
      const bound = http.address()
      if (bound === null || typeof bound === 'string') return
      resolve(`${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`)
    })
  })
}
