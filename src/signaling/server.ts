/** The signaling hub on WebSockets: connections of an HTTP server that ask for its path, their pings, one timer. */

import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { unreachable } from '../core/errors.ts'
import type { Host } from '../core/host.ts'
import type { Instant } from '../core/time.ts'
import { type HubOutput, SignalingHub } from './hub.ts'
import type { HubOptions } from './hub-options.ts'
import { type LeftReason, limits, type PeerSummary } from './protocol.ts'
import type { ConnectionId } from './session.ts'

export interface SignalingOptions extends Partial<HubOptions> {
  readonly path: string
  /**
   * Origins that pages may come from, such as `https://app.example.org`; `*` is every one. Unless given, a page has
   * to come from this server's own address. Programs that send no Origin are not pages, and are admitted.
   */
  readonly origins?: readonly string[]
  readonly maxConnectionsPerAddress?: number
  readonly pingMs?: number
  /** A connection that has not been heard of for so long is lost. */
  readonly silenceMs?: number
}

export interface SignalingEvents {
  joined?(peer: PeerSummary, room: string): void
  left?(peer: PeerSummary, room: string, reason: LeftReason): void
  refused?(address: string, reason: string): void
}

export interface SignalingServer {
  readonly hub: SignalingHub
  /** Closes every connection; the HTTP server goes on. */
  close(): void
}

/** Whoever vanishes is known to be gone within ten seconds: silence, the ping that notices it, and the hub's grace. */
export const signalingDefaults = { maxConnectionsPerAddress: 256, pingMs: 2000, silenceMs: 5000 } as const

/** Limit: what may wait for a peer that does not read. */
const maxBufferedBytes = 1024 * 1024

interface Client {
  readonly id: ConnectionId
  readonly socket: WebSocket
  readonly address: string
  heardAt: Instant
}

export function serveSignaling(
  http: Server,
  host: Host,
  options: SignalingOptions,
  events: SignalingEvents = {},
): SignalingServer {
  const server = new SignalingSockets(http, host, options, events)
  return { hub: server.hub, close: () => server.close() }
}

class SignalingSockets {
  readonly hub: SignalingHub
  readonly #http: Server
  readonly #host: Host
  readonly #options: SignalingOptions & Required<Pick<SignalingOptions, keyof typeof signalingDefaults>>
  readonly #events: SignalingEvents
  readonly #webSockets = new WebSocketServer({ noServer: true, maxPayload: limits.messageLength * 3 })
  readonly #clients = new Map<ConnectionId, Client>()
  readonly #perAddress = new Map<string, number>()
  readonly #upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    this.#upgraded(request, socket, head)
  readonly #pings: NodeJS.Timeout
  #nextId = 1
  #cancelTimer: () => void = () => {}
  #timerAt: Instant | undefined

  constructor(http: Server, host: Host, options: SignalingOptions, events: SignalingEvents) {
    this.hub = new SignalingHub(options, host.random)
    this.#http = http
    this.#host = host
    this.#options = { ...signalingDefaults, ...options }
    this.#events = events
    http.on('upgrade', this.#upgrade)
    this.#pings = setInterval(() => this.#ping(), this.#options.pingMs)
  }

  close(): void {
    this.#http.off('upgrade', this.#upgrade)
    clearInterval(this.#pings)
    this.#cancelTimer()
    for (const { socket } of this.#clients.values()) socket.terminate()
    this.#clients.clear()
    this.#webSockets.close()
  }

  #upgraded(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Not by URL, which throws for some of what clients may send.
    if (request.url?.split('?', 1)[0] !== this.#options.path) {
      // Another listener may serve that path; when there is none, nobody would answer.
      if (this.#http.listenerCount('upgrade') === 1) socket.destroy()
      return
    }
    const address = request.socket.remoteAddress ?? ''
    const refusal = this.#refusalOf(request, address)
    if (refusal !== undefined) {
      this.#events.refused?.(address, refusal.reason)
      // Whoever has gone in the meantime cannot be told.
      socket.on('error', () => {})
      socket.end(`HTTP/1.1 ${refusal.status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#connected(webSocket, address))
  }

  #refusalOf(request: IncomingMessage, address: string): { status: string; reason: string } | undefined {
    if (!this.#isOriginAllowed(request)) {
      return { status: '403 Forbidden', reason: `origin ${request.headers.origin}` }
    }
    const connections = this.#perAddress.get(address) ?? 0
    if (connections >= this.#options.maxConnectionsPerAddress) {
      return { status: '429 Too Many Requests', reason: `${connections} connections` }
    }
    return undefined
  }

  #isOriginAllowed({ headers: { origin, host } }: IncomingMessage): boolean {
    if (origin === undefined) return true
    const { origins } = this.#options
    if (origins === undefined) return URL.canParse(origin) && new URL(origin).host === host
    return origins.includes('*') || origins.includes(origin)
  }

  #connected(socket: WebSocket, address: string): void {
    const client: Client = { id: this.#nextId++, socket, address, heardAt: this.#now() }
    this.#clients.set(client.id, client)
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1)
    socket.on('message', (data, isBinary) => {
      client.heardAt = this.#now()
      // The protocol is text: bytes are no message of it, and are read as one that is malformed.
      this.#drainAfter((now) => this.hub.received(client.id, isBinary ? '' : String(data), now))
    })
    socket.on('pong', () => {
      client.heardAt = this.#now()
    })
    // What went wrong is told by 'close', which follows.
    socket.on('error', () => {})
    socket.on('close', () => this.#gone(client))
    this.#drainAfter((now) => this.hub.connected(client.id, now))
  }

  #gone(client: Client): void {
    if (!this.#clients.delete(client.id)) return
    const left = (this.#perAddress.get(client.address) ?? 1) - 1
    if (left === 0) this.#perAddress.delete(client.address)
    else this.#perAddress.set(client.address, left)
    this.#drainAfter((now) => this.hub.disconnected(client.id, now))
  }

  /** Asks everybody for a sign of life, and gives up those who have shown none. */
  #ping(): void {
    const now = this.#now()
    for (const client of this.#clients.values()) {
      if (now - client.heardAt <= this.#options.silenceMs) client.socket.ping()
      else this.#drop(client)
    }
  }

  #drop(client: Client): void {
    client.socket.terminate()
    this.#gone(client)
  }

  #drainAfter(input: (now: Instant) => void): void {
    input(this.#now())
    for (let output = this.hub.poll(); output !== undefined; output = this.hub.poll()) this.#carryOut(output)
    this.#armTimer()
  }

  #carryOut(output: HubOutput): void {
    switch (output.type) {
      case 'send':
        this.#send(this.#clients.get(output.connection), output.text)
        return
      case 'close':
        this.#clients.get(output.connection)?.socket.close(1000, output.code)
        return
      case 'joined':
        this.#events.joined?.(output.peer, output.room)
        return
      case 'left':
        this.#events.left?.(output.peer, output.room, output.reason)
        return
      default:
        unreachable(output)
    }
  }

  #send(client: Client | undefined, text: string): void {
    if (client === undefined) return
    client.socket.send(text)
    // Its session waits: what it has not read is sent again when it comes back for it.
    if (client.socket.bufferedAmount > maxBufferedBytes) setImmediate(() => this.#drop(client))
  }

  #armTimer(): void {
    const at = this.hub.pollTimeout()
    if (at === this.#timerAt) return
    this.#cancelTimer()
    this.#timerAt = at
    this.#cancelTimer =
      at === undefined
        ? () => {}
        : this.#host.clock.schedule(at, () => {
            this.#timerAt = undefined
            this.#drainAfter((now) => this.hub.handleTimeout(now))
          })
  }

  #now(): Instant {
    return this.#host.clock.now()
  }
}
