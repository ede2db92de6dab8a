/**
 * WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) endpoints for an HTTP server: `/whip` takes what one peer publishes,
 * `/whep` plays it, or a file, to any number. Trickling and ICE restarts by PATCH.
 * Deviation: m= sections have no rtcp-mux-only attribute (§4.4.1); rtcp-mux is always used.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Host } from '../../core/host.ts'
import { NodeHost } from '../../net/node-host.ts'
import { isSame } from '../../signaling/access.ts'
import type { IceServer } from '../../signaling/protocol.ts'
import type { MediaSource } from '../media-source.ts'
import type { PeerConnectionConfig } from '../peer-connection.ts'
import { type Recording, record } from '../recording.ts'
import type { MediaStreamTrack, RTCRtpTransceiver } from '../werift.ts'
import { Forwarding } from './forwarding.ts'
import { formatIceServers } from './link.ts'
import { type Reply, reject } from './reply.ts'
import { fragmentType, parseSdpFragment } from './sdp-fragment.ts'
import { ServerSession, type WhipRole } from './server-session.ts'

export interface WhipServerOptions {
  /** Who publishes or plays has to show it as `Authorization: Bearer …`; unless given, everybody may. */
  readonly token?: string | undefined
  /** What is played; unless given, what is published. Closed by whoever has opened it. */
  readonly media?: MediaSource | undefined
  /** A WebM file that the next thing published is written to. */
  readonly recordTo?: string | undefined
  /** Told to clients, in `Link`. */
  readonly iceServers?: readonly IceServer[] | undefined
  readonly configuration?: PeerConnectionConfig | undefined
  readonly maxSessions?: number | undefined
}

export interface WhipServerEvents {
  started?(session: ServerSession): void
  connected?(session: ServerSession): void
  track?(track: MediaStreamTrack, session: ServerSession): void
  ended?(session: ServerSession, reason: string): void
}

/** Limit: characters of a description or fragment, as in signaling. */
const maxBodyLength = 65_536
const defaultMaxSessions = 64

const endpoints: ReadonlyMap<string, WhipRole> = new Map([
  ['/whip', 'publisher'],
  ['/whep', 'player'],
])

export class WhipServer implements AsyncDisposable {
  readonly #options: WhipServerOptions
  readonly #events: WhipServerEvents
  readonly #host: Host
  readonly #forwarding = new Forwarding()
  readonly #sessions = new Map<string, ServerSession>()

  constructor(options: WhipServerOptions = {}, events: WhipServerEvents = {}) {
    this.#options = options
    this.#events = events
    this.#host = options.configuration?.host ?? new NodeHost()
  }

  get sessions(): readonly ServerSession[] {
    return [...this.#sessions.values()]
  }

  /** Answers a request to `/whip` or `/whep`, or below; false if it is for somebody else. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const [, endpoint, , id] = /^(\/whip|\/whep)(\/([\w-]+))?(?:\?.*)?$/.exec(request.url ?? '') ?? []
    const role = endpoints.get(endpoint ?? '')
    if (role === undefined) return false
    const replied = id === undefined ? this.#atEndpoint(role, request) : this.#atSession(role, id, request)
    replied
      .catch(() => reject(500, 'a fault of this server'))
      .then((reply) => send(response, reply))
      // Whoever has gone in the meantime cannot be answered.
      .catch(() => response.destroy())
    return true
  }

  /** Ends every session. */
  async close(): Promise<void> {
    await Promise.all(this.sessions.map((session) => session.end('the server closes')))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #atEndpoint(role: WhipRole, request: IncomingMessage): Promise<Reply> {
    const allow = 'POST, OPTIONS'
    if (request.method === 'OPTIONS') return preflight(allow, { 'Accept-Post': 'application/sdp' })
    if (request.method !== 'POST')
      return reject(405, `${request.method} is not for an endpoint`, { Allow: allow })
    const body = await this.#bodyOf(request, 'application/sdp')
    return typeof body === 'string' ? this.#open(role, body) : body
  }

  async #atSession(role: WhipRole, id: string, request: IncomingMessage): Promise<Reply> {
    const allow = 'PATCH, DELETE, OPTIONS'
    const { method } = request
    if (method === 'OPTIONS') return preflight(allow, { 'Accept-Patch': fragmentType })
    if (method !== 'PATCH' && method !== 'DELETE') {
      return reject(405, `${method} is not for a session`, { Allow: allow })
    }
    if (!this.#isAdmitted(request)) return unauthorized()
    const session = this.#sessions.get(id)
    if (session === undefined || session.role !== role)
      return reject(404, 'no such session; it may have ended')
    if (method === 'DELETE') {
      await session.end('the client has ended it')
      return { status: 200 }
    }
    const body = await this.#bodyOf(request, fragmentType)
    if (typeof body !== 'string') return body
    const fragment = parseSdpFragment(body)
    if (typeof fragment === 'string') return reject(400, fragment)
    return session.patch(fragment, request.headers['if-match'])
  }

  async #open(role: WhipRole, offer: string): Promise<Reply> {
    const { maxSessions = defaultMaxSessions, iceServers = [] } = this.#options
    if (this.#sessions.size >= maxSessions) {
      return reject(503, `all ${maxSessions} sessions are taken`, { 'Retry-After': '30' })
    }
    if (role === 'publisher' && this.sessions.some((session) => session.role === 'publisher')) {
      return reject(409, 'somebody publishes here already')
    }
    const session = this.#newSession(role)
    this.#sessions.set(session.id, session)
    const answer = await session.answer(offer)
    if (typeof answer !== 'string') {
      await session.end('refused')
      return answer
    }
    this.#events.started?.(session)
    return {
      status: 201,
      headers: {
        'Content-Type': 'application/sdp',
        Location: `${role === 'publisher' ? '/whip' : '/whep'}/${session.id}`,
        ETag: session.tag,
        ...(iceServers.length > 0 ? { Link: formatIceServers(iceServers) } : {}),
      },
      body: answer,
    }
  }

  #newSession(role: WhipRole): ServerSession {
    let recording: Recording | undefined
    let played: readonly RTCRtpTransceiver[] = []
    const session: ServerSession = new ServerSession(
      this.#draw(),
      role,
      { ...this.#options.configuration },
      () => `"${this.#draw()}"`,
      {
        beforeAnswer: (transceivers) => {
          if (role === 'publisher') recording = this.#receive(session, transceivers)
          else played = this.#play(session, transceivers)
        },
        connected: () => {
          if (role === 'player') this.#forwarding.playerConnected()
          this.#events.connected?.(session)
        },
        ended: async (reason) => {
          this.#sessions.delete(session.id)
          for (const transceiver of played) this.#forwarding.removePlayer(transceiver)
          if (role === 'publisher') this.#forwarding.unpublish()
          await recording?.close()
          if (session.isAnswered) this.#events.ended?.(session, reason)
        },
      },
    )
    return session
  }

  #receive(session: ServerSession, transceivers: readonly RTCRtpTransceiver[]): Recording | undefined {
    const { recordTo } = this.#options
    const recording = recordTo === undefined ? undefined : record(recordTo, transceivers.length)
    for (const transceiver of transceivers) {
      transceiver.setDirection('recvonly')
      // The offer has made them already.
      for (const track of transceiver.receiver.tracks) {
        this.#forwarding.publish(track, transceiver)
        recording?.add(track)
        this.#events.track?.(track, session)
      }
    }
    return recording
  }

  #play(session: ServerSession, transceivers: readonly RTCRtpTransceiver[]): readonly RTCRtpTransceiver[] {
    const { media } = this.#options
    for (const transceiver of transceivers) {
      if (media === undefined) {
        const track = this.#forwarding.addPlayer(transceiver)
        transceiver.setDirection('sendonly')
        transceiver.sender.replaceTrack(track)
        continue
      }
      const track = media.tracks.find(({ kind }) => kind === transceiver.kind)
      // Goes on this very transceiver, which answers with the codec of the file then.
      if (track !== undefined) session.connection.addTrack(track)
      transceiver.setDirection(track === undefined ? 'inactive' : 'sendonly')
    }
    return transceivers
  }

  async #bodyOf(request: IncomingMessage, type: string): Promise<string | Reply> {
    if (!this.#isAdmitted(request)) return unauthorized()
    const given = (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase()
    if (given !== type)
      return reject(415, `Content-Type is ${given === '' ? 'missing' : given}; ${type} is right`)
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of request) {
      length += chunk.length
      if (length > maxBodyLength)
        return reject(413, `more than ${maxBodyLength} bytes`, { Connection: 'close' })
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString()
  }

  #isAdmitted({ headers: { authorization = '' } }: IncomingMessage): boolean {
    const { token } = this.#options
    return token === undefined || isSame(/^Bearer +(.*)$/i.exec(authorization)?.[1] ?? '', token)
  }

  /** 128 bits that nobody guesses: who knows a session may end it. */
  #draw(): string {
    return Buffer.from(this.#host.random.bytes(16)).toString('base64url')
  }
}

/** Pages from anywhere: what admits is the token, which is no cookie. */
const cors = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'Location, ETag, Link',
}

function preflight(allow: string, headers: Readonly<Record<string, string>>): Reply {
  return {
    status: 204,
    headers: {
      Allow: allow,
      'Access-Control-Allow-Methods': allow,
      'Access-Control-Allow-Headers': 'Authorization, Content-Type, If-Match',
      ...headers,
    },
  }
}

function unauthorized(): Reply {
  return reject(401, 'a token is asked for: Authorization: Bearer …', { 'WWW-Authenticate': 'Bearer' })
}

function send(response: ServerResponse, { status, headers = {}, body }: Reply): void {
  response.writeHead(status, { ...cors, ...headers } as Record<string, string | string[]>)
  response.end(body)
}
