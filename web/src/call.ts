/** One call: perfect negotiation over the signaling server, media both ways, a data channel for the chat. */

import type { IceServer, SignalData } from '../../src/signaling/protocol.ts'

export interface CallHandlers {
  send(data: SignalData): void
  stream(stream: MediaStream): void
  chat(text: string): void
  /** The chat can be used, or cannot any more. */
  chatOpen(isOpen: boolean): void
  stateChanged(state: RTCPeerConnectionState): void
}

export interface CallOptions {
  /** Who has called makes the offer, and gives way to nobody; who was called is polite. */
  readonly isCaller: boolean
  readonly iceServers: readonly IceServer[]
  readonly relayOnly: boolean
  readonly media: MediaStream
}

export class Call {
  readonly connection: RTCPeerConnection
  readonly #handlers: CallHandlers
  readonly #options: CallOptions
  /** The session of the last description from the peer: another one means that it has begun anew. */
  remoteSession: string | undefined
  #chat: RTCDataChannel | undefined
  #isMakingOffer = false
  #ignoresOffer = false
  #hasMedia = false
  /** One after the other: an offer that follows an answer at once is not one that crosses ours. */
  #queue: Promise<void> = Promise.resolve()

  constructor(options: CallOptions, handlers: CallHandlers) {
    this.#options = options
    this.#handlers = handlers
    this.connection = new RTCPeerConnection(configurationOf(options))
    const { connection } = this
    connection.onnegotiationneeded = () => this.#offer()
    connection.onicecandidate = ({ candidate }) =>
      handlers.send({ candidate: candidate === null ? null : (candidate.toJSON() as { candidate: string }) })
    connection.ontrack = ({ streams: [stream], track }) => handlers.stream(stream ?? new MediaStream([track]))
    connection.ondatachannel = ({ channel }) => this.#adopt(channel)
    connection.onconnectionstatechange = () => {
      handlers.stateChanged(connection.connectionState)
      if (connection.connectionState === 'failed' && options.isCaller) connection.restartIce()
    }
    if (options.isCaller) {
      this.#adopt(connection.createDataChannel('chat'))
      this.#addMedia()
    }
  }

  /** Rejects if what was sent does not fit; what comes after is taken all the same. */
  receive(data: SignalData): Promise<void> {
    const received = this.#queue.then(() =>
      'candidate' in data
        ? this.#receiveCandidate(data.candidate)
        : this.#receiveDescription(data.description),
    )
    this.#queue = received.catch(() => {})
    return received
  }

  say(text: string): void {
    if (this.#chat?.readyState === 'open') this.#chat.send(text)
  }

  get isCaller(): boolean {
    return this.#options.isCaller
  }

  close(): void {
    this.connection.onconnectionstatechange = null
    this.#handlers.chatOpen(false)
    this.connection.close()
  }

  /** The callee waits for the offer with it: then its tracks go into the answer, and no second round is needed. */
  #addMedia(): void {
    if (this.#hasMedia) return
    this.#hasMedia = true
    const { media } = this.#options
    for (const track of media.getTracks()) this.connection.addTrack(track, media)
  }

  async #offer(): Promise<void> {
    try {
      this.#isMakingOffer = true
      await this.connection.setLocalDescription()
      this.#sendDescription()
    } finally {
      this.#isMakingOffer = false
    }
  }

  async #receiveDescription(description: RTCSessionDescriptionInit): Promise<void> {
    const { connection } = this
    if (connection.signalingState === 'closed') return
    const collides =
      description.type === 'offer' && (this.#isMakingOffer || connection.signalingState !== 'stable')
    this.#ignoresOffer = this.#options.isCaller && collides
    if (this.#ignoresOffer) return
    this.remoteSession = sessionOf(description)
    await connection.setRemoteDescription(description)
    if (description.type !== 'offer') return
    this.#addMedia()
    await connection.setLocalDescription()
    this.#sendDescription()
  }

  async #receiveCandidate(candidate: RTCIceCandidateInit | null): Promise<void> {
    if (this.connection.signalingState === 'closed') return
    try {
      await this.connection.addIceCandidate(candidate ?? undefined)
    } catch (error) {
      // Candidates of an offer that was ignored, or of a session before this one, fit nothing.
      const ufrag = candidate?.usernameFragment
      const isOurs = ufrag == null || this.connection.remoteDescription?.sdp.includes(`a=ice-ufrag:${ufrag}`)
      if (!this.#ignoresOffer && isOurs === true) throw error
    }
  }

  #sendDescription(): void {
    const { type, sdp } = this.connection.localDescription!
    this.#handlers.send({ description: { type, sdp } })
  }

  #adopt(channel: RTCDataChannel): void {
    if (channel.label !== 'chat') return
    this.#chat = channel
    channel.onopen = () => this.#handlers.chatOpen(true)
    channel.onclose = () => this.#handlers.chatOpen(false)
    channel.onmessage = ({ data }) => {
      if (typeof data === 'string') this.#handlers.chat(data)
    }
    if (channel.readyState === 'open') this.#handlers.chatOpen(true)
  }
}

function configurationOf({ iceServers, relayOnly }: CallOptions): RTCConfiguration {
  return {
    iceServers: iceServers.map((server) => ({ ...server, urls: [...server.urls] })),
    iceTransportPolicy: relayOnly ? 'relay' : 'all',
    bundlePolicy: 'max-bundle',
  }
}

/** The session that a description belongs to, by its origin line (RFC 8866 §5.2). */
export function sessionOf({ sdp }: RTCSessionDescriptionInit): string {
  return /^o=\S+ (\S+)/m.exec(sdp ?? '')?.[1] ?? ''
}
