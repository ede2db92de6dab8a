/**
 * A peer's end of the signaling protocol: joins a room, and joins it again when the connection is lost, so that
 * calls go on and no message is lost or taken twice. Runs in Node and in browsers, on their WebSocket.
 */

import {
  type Addressed,
  type ClientMessage,
  type Joined,
  type LeftReason,
  type PeerSummary,
  parseServerMessage,
  protocolVersion,
  type ServerMessage,
  type SignalData,
} from './protocol.ts'

export interface SignalingClientOptions {
  /** `ws://` or `wss://`. */
  readonly url: string
  readonly room: string
  readonly name?: string
  readonly token?: string
}

export type SignalingState = 'connecting' | 'joined' | 'reconnecting' | 'closed'

export interface SignalingHandlers {
  /** Called again, with `resumed`, after a lost connection; without it the peer is a new one, with a new id. */
  joined?(joined: Joined): void
  peerJoined?(peer: PeerSummary): void
  peerLeft?(id: string, reason: LeftReason): void
  /** call, accept, decline, bye or signal. */
  message?(message: Addressed & { readonly from: string }): void
  iceServers?(servers: Joined['iceServers']): void
  error?(error: Extract<ServerMessage, { type: 'error' }>): void
  stateChanged?(state: SignalingState): void
}

const firstRetryMs = 250
const longestRetryMs = 4000
/** Limit: messages kept until the server has confirmed them. */
const maxUnconfirmed = 512

/** Refusals that trying again cannot mend. */
const finalErrors: readonly string[] = ['unauthorized', 'unsupported-version', 'room-full', 'server-full']

type Unnumbered = Exclude<ClientMessage, { type: 'join' }>

export class SignalingClient {
  readonly #options: SignalingClientOptions
  readonly #handlers: SignalingHandlers
  #socket: WebSocket | undefined
  #state: SignalingState = 'connecting'
  #joined: Joined | undefined
  #received = 0
  #sent = 0
  #unconfirmed: (Unnumbered & { seq: number })[] = []
  #retryMs = firstRetryMs
  #retryTimer: ReturnType<typeof setTimeout> | undefined

  constructor(options: SignalingClientOptions, handlers: SignalingHandlers) {
    this.#options = options
    this.#handlers = handlers
    this.#connect()
  }

  get state(): SignalingState {
    return this.#state
  }

  /** What others call us; undefined before the room was joined. */
  get id(): string | undefined {
    return this.#joined?.id
  }

  call(to: string): void {
    this.#send({ type: 'call', to })
  }

  accept(to: string): void {
    this.#send({ type: 'accept', to })
  }

  decline(to: string, reason?: string): void {
    this.#send({ type: 'decline', to, ...(reason === undefined ? {} : { reason }) })
  }

  bye(to: string, reason?: string): void {
    this.#send({ type: 'bye', to, ...(reason === undefined ? {} : { reason }) })
  }

  signal(to: string, data: SignalData): void {
    this.#send({ type: 'signal', to, data })
  }

  /** Asks for fresh credentials; they arrive at `iceServers`. */
  refreshIceServers(): void {
    this.#send({ type: 'ice-servers' })
  }

  /** Leaves the room and closes the connection. No handler is called afterwards. */
  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    clearTimeout(this.#retryTimer)
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify({ type: 'leave' }))
    this.#socket?.close()
  }

  #connect(): void {
    const socket = new WebSocket(this.#options.url)
    this.#socket = socket
    socket.addEventListener('open', () => this.#join(socket))
    socket.addEventListener('message', ({ data }) => {
      if (socket === this.#socket && typeof data === 'string') this.#receive(data)
    })
    // A failure is followed by 'close', and says nothing that 'close' does not.
    socket.addEventListener('error', () => {})
    socket.addEventListener('close', () => {
      if (socket === this.#socket) this.#retry()
    })
  }

  #join(socket: WebSocket): void {
    const { room, name, token } = this.#options
    const resume =
      this.#joined === undefined ? undefined : { session: this.#joined.session, received: this.#received }
    socket.send(JSON.stringify({ type: 'join', version: protocolVersion, room, name, token, resume }))
  }

  #receive(text: string): void {
    const message = parseServerMessage(text)
    if (message === undefined || this.#state === 'closed') return
    if (message.seq !== undefined) {
      if (message.seq <= this.#received) return
      this.#received = message.seq
    }
    switch (message.type) {
      case 'joined':
        this.#handleJoined(message)
        return
      case 'peer-joined':
        this.#handlers.peerJoined?.(message.peer)
        return
      case 'peer-left':
        this.#handlers.peerLeft?.(message.id, message.reason)
        return
      case 'ice-servers':
        this.#handlers.iceServers?.(message.iceServers)
        return
      case 'error':
        if (finalErrors.includes(message.code)) this.#end()
        this.#handlers.error?.(message)
        return
      case 'call':
      case 'accept':
      case 'decline':
      case 'bye':
      case 'signal':
        this.#handlers.message?.(message)
        return
      default:
        // A type of a later version, which we need not know.
        return
    }
  }

  #handleJoined(joined: Joined): void {
    const isSame = joined.resumed && joined.id === this.#joined?.id
    this.#joined = joined
    this.#retryMs = firstRetryMs
    if (!isSame) {
      // Another session: our numbers start anew, and what was meant for the old one's peers is not for these.
      const wasJoinedBefore = this.#received > 0 || this.#state === 'reconnecting'
      this.#received = 0
      if (wasJoinedBefore) this.#unconfirmed = []
    }
    this.#unconfirmed = this.#unconfirmed.filter(({ seq }) => seq > joined.received)
    this.#setState('joined')
    this.#handlers.joined?.(joined)
    for (const message of this.#unconfirmed) this.#socket?.send(JSON.stringify(message))
  }

  #send(message: Unnumbered): void {
    if (this.#state === 'closed') return
    const numbered = { ...message, seq: ++this.#sent }
    this.#unconfirmed.push(numbered)
    if (this.#unconfirmed.length > maxUnconfirmed) this.#unconfirmed.shift()
    if (this.#state === 'joined' && this.#socket?.readyState === 1)
      this.#socket.send(JSON.stringify(numbered))
  }

  #retry(): void {
    if (this.#state === 'closed') return
    this.#setState(this.#joined === undefined ? 'connecting' : 'reconnecting')
    this.#retryTimer = setTimeout(() => this.#connect(), this.#retryMs)
    this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs)
  }

  #end(): void {
    this.#setState('closed')
    this.#socket?.close()
  }

  #setState(state: SignalingState): void {
    if (state === this.#state) return
    this.#state = state
    this.#handlers.stateChanged?.(state)
  }
}
