/** A call with one peer: its connection, replaced when the peer begins anew, the chat beside it, and how it is doing. */

import type { PeerSummary, SignalData } from '../signaling/protocol.ts'
import { type Echo, echoMedia } from './echo.ts'
import type { MediaSource } from './media-source.ts'
import { Negotiation, sessionOf } from './negotiation.ts'
import { type PathReport, pathOf } from './path-report.ts'
import { PeerConnection, type PeerConnectionConfig } from './peer-connection.ts'
import { type Recording, record } from './recording.ts'
import type { MediaStreamTrack, RTCDataChannel } from './werift.ts'

export interface CallOptions {
  /** Sent to the peer. Closed by whoever has opened it. */
  readonly media?: MediaSource | undefined
  /** Sends back picture, sound and chat. Not together with `media`. */
  readonly echo?: boolean | undefined
  /** A WebM file that what the peer sends is written to. */
  readonly recordTo?: string | undefined
}

export interface CallHandlers {
  readonly connected?: () => void
  /** A chat message. */
  readonly message?: (text: string) => void
  readonly track?: (track: MediaStreamTrack) => void
  /** Any other data channel that the peer opens. */
  readonly channel?: (channel: RTCDataChannel) => void
  /** The call is over. `reason` is for people. */
  readonly ended?: (reason: string) => void
}

/** What a call needs of the peer that it belongs to. */
export interface CallSetting {
  readonly isCaller: boolean
  /** Breaks the tie when both sides begin anew at the same time. */
  readonly isLower: boolean
  readonly configuration: () => PeerConnectionConfig
  readonly send: (data: SignalData) => void
  /** Tells the peer, and forgets the call. */
  readonly leave: (reason: string | undefined) => void
  /** There is no other way to learn that the peer has hung up. */
  readonly endsWithChat?: boolean
}

const chatLabel = 'chat'

export class Call {
  readonly peer: PeerSummary
  /** What happens to the call; may be set at any time. */
  handlers: CallHandlers
  readonly #setting: CallSetting
  readonly #options: CallOptions
  readonly #recording: Recording | undefined
  #negotiation: Negotiation
  #chat: RTCDataChannel | undefined
  #echo: Echo | undefined
  /** Said before there was a chat to say it in. */
  #unsaid: string[] = []
  #isConnected = false
  #isEnded = false
  readonly #waiting: { resolve(): void; reject(error: Error): void }[] = []

  constructor(peer: PeerSummary, options: CallOptions, setting: CallSetting, handlers: CallHandlers = {}) {
    this.peer = peer
    this.handlers = handlers
    this.#options = options
    this.#setting = setting
    this.#recording = options.recordTo === undefined ? undefined : record(options.recordTo, 2)
    this.#negotiation = this.#connect(setting.isCaller)
  }

  get connection(): PeerConnection {
    return this.#negotiation.connection
  }

  /** Resolves when data may flow; rejects with the reason when the call ends before. */
  connected(): Promise<void> {
    if (this.#isConnected) return Promise.resolve()
    if (this.#isEnded) return Promise.reject(new Error('the call is over'))
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  say(text: string): void {
    if (this.#chat?.readyState === 'open') this.#chat.send(text)
    else this.#unsaid.push(text)
  }

  /** The path that the call takes; undefined while there is none. */
  path(): Promise<PathReport | undefined> {
    return pathOf(this.connection)
  }

  /** Why the call is not connected, or how it is. */
  explain(): string {
    return this.connection.explain()
  }

  restartIce(): void {
    this.#negotiation.restartIce()
  }

  /** Hangs up. Resolves when every socket is closed, every allocation given back and the recording complete. */
  async close(reason?: string): Promise<void> {
    if (!this.#isEnded) this.#setting.leave(reason)
    await this.end(reason ?? 'hung up')
  }

  /** For what the peer has signalled. */
  async receive(data: SignalData): Promise<void> {
    if ('description' in data && data.description.type === 'offer') {
      const { remoteSession, isCaller } = this.#negotiation
      const isAnew = remoteSession !== undefined && remoteSession !== sessionOf(data.description)
      const isCrossing = remoteSession === undefined && isCaller
      if (isCrossing && this.#setting.isLower) return
      if (isAnew || isCrossing) this.#negotiation = this.#connect(false)
    }
    await this.#negotiation.receive(data)
  }

  /** The call is over, by whichever side. */
  async end(reason: string): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(reason))
    this.#echo?.close()
    await this.connection.close()
    await this.#recording?.close()
    this.handlers.ended?.(reason)
  }

  #connect(isCaller: boolean): Negotiation {
    const before = this.#negotiation as Negotiation | undefined
    if (before !== undefined) {
      before.connection.onconnectionstatechange = undefined
      before.connection.close().catch(() => {})
    }
    this.#echo?.close()
    const connection = new PeerConnection(this.#setting.configuration())
    const negotiation = new Negotiation(connection, {
      isCaller,
      send: this.#setting.send,
      beforeAnswer: () => this.#addMedia(connection),
    })
    if (this.#options.echo === true) this.#echo = echoMedia(connection)
    connection.onTrack.subscribe((track) => {
      this.#recording?.add(track)
      this.handlers.track?.(track)
    })
    connection.ondatachannel = ({ channel }) => this.#adopt(channel)
    connection.onconnectionstatechange = () => this.#stateChanged(connection)
    if (isCaller) {
      this.#adopt(connection.createDataChannel(chatLabel))
      this.#addMedia(connection)
    }
    return negotiation
  }

  /** A callee's tracks go on the transceivers of the offer; a caller, and who has more to send, adds its own. */
  #addMedia(connection: PeerConnection): void {
    const { media } = this.#options
    if (media === undefined) return
    const sent = new Set(connection.getTransceivers().map(({ sender }) => sender.track))
    for (const track of media.tracks) if (!sent.has(track)) connection.addTrack(track)
  }

  #adopt(channel: RTCDataChannel): void {
    if (channel.label !== chatLabel) {
      this.handlers.channel?.(channel)
      return
    }
    this.#chat = channel
    channel.onmessage = ({ data }) => {
      const text = String(data)
      if (this.#options.echo === true) this.say(text)
      this.handlers.message?.(text)
    }
    channel.onclose = () => {
      if (this.#setting.endsWithChat === true) this.close('the peer hung up').catch(() => {})
    }
    const open = () => {
      for (const text of this.#unsaid.splice(0)) channel.send(text)
    }
    channel.onopen = open
    if (channel.readyState === 'open') open()
  }

  #stateChanged(connection: PeerConnection): void {
    if (connection !== this.connection || this.#isEnded) return
    const state = connection.connectionState
    if (state === 'connected') {
      this.#isConnected = true
      for (const { resolve } of this.#waiting.splice(0)) resolve()
      this.handlers.connected?.()
    } else if (state === 'failed') this.close(`no connection: ${this.explain()}`).catch(() => {})
    else if (state === 'closed') this.close('the peer has closed the connection').catch(() => {})
  }
}
