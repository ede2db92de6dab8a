/** What happens in a room: who is there, who calls whom, and the one call that may be going on. */

import { SignalingClient } from '../../src/signaling/client.ts'
import type { Addressed, IceServer, PeerSummary, SignalData } from '../../src/signaling/protocol.ts'
import { Call, sessionOf } from './call.ts'
import { openMedia } from './media.ts'

export type Phase =
  | { readonly type: 'idle' }
  /** We have asked, and wait for the answer. */
  | { readonly type: 'calling'; readonly peer: PeerSummary }
  /** We are asked. */
  | { readonly type: 'ringing'; readonly peer: PeerSummary }
  /** Both want it; picture and sound are being opened, which may take people's leave. */
  | { readonly type: 'opening'; readonly peer: PeerSummary }
  | { readonly type: 'in-call'; readonly peer: PeerSummary; readonly call: Call; readonly media: MediaStream }

export interface RoomHandlers {
  joined(room: string): void
  /** The reason is for people; the room is left for good. */
  refused(reason: string): void
  connectionChanged(isConnected: boolean): void
  peersChanged(peers: readonly PeerSummary[]): void
  phaseChanged(phase: Phase): void
  callStateChanged(state: RTCPeerConnectionState): void
  remoteStream(stream: MediaStream): void
  chat(text: string): void
  chatOpen(isOpen: boolean): void
  /** Something that people should know. */
  notice(text: string): void
}

export interface RoomOptions {
  readonly room: string
  readonly name: string
  readonly token?: string
}

/** Credentials are good for longer than this. */
const refreshMs = 20 * 60 * 1000

export class Room {
  readonly #handlers: RoomHandlers
  readonly #signaling: SignalingClient
  readonly #refresh: ReturnType<typeof setInterval>
  readonly #peers = new Map<string, PeerSummary>()
  #iceServers: readonly IceServer[] = []
  #phase: Phase = { type: 'idle' }
  #relayOnly = false
  /** The peer of the call has lost its connection to the server, which need not mean that the call is over. */
  #isPeerLost = false

  constructor(options: RoomOptions, handlers: RoomHandlers) {
    this.#handlers = handlers
    const url = new URL('signaling', location.href)
    url.protocol = url.protocol.replace('http', 'ws')
    url.search = ''
    this.#signaling = new SignalingClient(
      { url: url.href, ...options },
      {
        joined: ({ room, peers, iceServers }) => {
          this.#iceServers = iceServers
          this.#peers.clear()
          for (const peer of peers) this.#peers.set(peer.id, peer)
          handlers.joined(room)
          this.#peersChanged()
        },
        peerJoined: (peer) => {
          this.#peers.set(peer.id, peer)
          if (this.#isWith(peer.id)) this.#isPeerLost = false
          this.#peersChanged()
        },
        peerLeft: (id) => this.#peerLeft(id),
        iceServers: (servers) => {
          this.#iceServers = servers
        },
        message: (message) => this.#receive(message),
        error: ({ code, message }) => {
          if (this.#signaling.state === 'closed') handlers.refused(message)
          else if (code !== 'unknown-peer') handlers.notice(message)
        },
        stateChanged: (state) => handlers.connectionChanged(state === 'joined'),
      },
    )
    this.#refresh = setInterval(() => this.#signaling.refreshIceServers(), refreshMs)
  }

  get phase(): Phase {
    return this.#phase
  }

  call(peer: PeerSummary): void {
    if (this.#phase.type !== 'idle') return
    this.#setPhase({ type: 'calling', peer })
    this.#signaling.call(peer.id)
  }

  async accept(): Promise<void> {
    const { peer } = this.#during('ringing') ?? {}
    if (peer === undefined) return
    if (await this.#begin(peer, false)) this.#signaling.accept(peer.id)
  }

  decline(): void {
    const { peer } = this.#during('ringing') ?? {}
    if (peer === undefined) return
    this.#signaling.decline(peer.id)
    this.#end()
  }

  hangUp(): void {
    if (this.#phase.type === 'idle') return
    this.#signaling.bye(this.#phase.peer.id)
    this.#end()
  }

  say(text: string): void {
    this.#during('in-call')?.call.say(text)
  }

  /**
   * For this call and those after it. A browser keeps a direct path that works, whatever its policy says since: the
   * call gets a new connection, which the peer knows by its session.
   */
  setRelayOnly(relayOnly: boolean): void {
    this.#relayOnly = relayOnly
    const inCall = this.#during('in-call')
    if (inCall !== undefined) this.#connect(inCall.peer, inCall.media, true)
  }

  /** Leaves the room. No handler is called afterwards. */
  close(): void {
    this.hangUp()
    clearInterval(this.#refresh)
    this.#signaling.close()
  }

  #receive(message: Addressed & { readonly from: string }): void {
    const peer = this.#peers.get(message.from)
    if (peer === undefined) return
    switch (message.type) {
      case 'call':
        this.#called(peer)
        return
      case 'accept':
        if (this.#during('calling')?.peer.id === peer.id) this.#begin(peer, true)
        return
      case 'decline':
        if (!this.#isWith(peer.id)) return
        this.#end(`${nameOf(peer)} ${message.reason === 'busy' ? 'is in another call' : 'declined'}`)
        return
      case 'bye':
        if (this.#isWith(peer.id)) this.#end(`${nameOf(peer)} hung up`)
        return
      case 'signal':
        if (this.#isWith(peer.id)) this.#signalled(peer, message.data)
    }
  }

  #signalled(peer: PeerSummary, data: SignalData): void {
    const inCall = this.#during('in-call')
    if (inCall === undefined) return
    let { call } = inCall
    if ('description' in data && data.description.type === 'offer') {
      const session = sessionOf(data.description)
      const isAnew = call.remoteSession !== undefined && call.remoteSession !== session
      const isCrossing = call.remoteSession === undefined && call.isCaller
      // Both have begun anew at the same time: one of the two gives way.
      if (isCrossing && (this.#signaling.id ?? '') < peer.id) return
      if (isAnew || isCrossing) call = this.#connect(peer, inCall.media, false)
    }
    call
      .receive(data)
      .catch((error) => this.#handlers.notice(`What ${nameOf(peer)} sent does not fit: ${error}`))
  }

  #called(peer: PeerSummary): void {
    const isCrossing = this.#during('calling')?.peer.id === peer.id
    if (this.#phase.type === 'idle') this.#setPhase({ type: 'ringing', peer })
    // Both have called: one of the two takes it as the answer.
    else if (isCrossing && (this.#signaling.id ?? '') < peer.id) this.#crossed(peer)
    else if (!isCrossing) this.#signaling.decline(peer.id, 'busy')
  }

  async #crossed(peer: PeerSummary): Promise<void> {
    if (await this.#begin(peer, false)) this.#signaling.accept(peer.id)
  }

  /** False if the call was over before picture and sound were there. */
  async #begin(peer: PeerSummary, isCaller: boolean): Promise<boolean> {
    const asked: Phase = { type: 'opening', peer }
    this.#setPhase(asked)
    const media = await openMedia()
    if (this.#phase !== asked) {
      stop(media)
      return false
    }
    this.#connect(peer, media, isCaller)
    return true
  }

  /** Gives the call with the peer a connection, in place of the one that it may have. */
  #connect(peer: PeerSummary, media: MediaStream, isCaller: boolean): Call {
    this.#during('in-call')?.call.close()
    const call: Call = new Call(
      { isCaller, iceServers: this.#iceServers, relayOnly: this.#relayOnly, media },
      {
        send: (data) => this.#signaling.signal(peer.id, data),
        stream: (stream) => this.#handlers.remoteStream(stream),
        chat: (text) => this.#handlers.chat(text),
        chatOpen: (isOpen) => this.#handlers.chatOpen(isOpen),
        stateChanged: (state) => {
          this.#handlers.callStateChanged(state)
          this.#endIfGone()
        },
      },
    )
    this.#setPhase({ type: 'in-call', peer, call, media })
    return call
  }

  #peerLeft(id: string): void {
    const peer = this.#peers.get(id)
    this.#peers.delete(id)
    this.#peersChanged()
    if (peer === undefined || !this.#isWith(id)) return
    this.#isPeerLost = true
    if (this.#phase.type === 'in-call') this.#endIfGone()
    else this.#end(`${nameOf(peer)} is gone`)
  }

  /** A call that still flows goes on without the server; one that does not is over. */
  #endIfGone(): void {
    const inCall = this.#during('in-call')
    if (inCall === undefined || !this.#isPeerLost) return
    if (inCall.call.connection.connectionState !== 'connected') this.#end(`${nameOf(inCall.peer)} is gone`)
  }

  #end(notice?: string): void {
    const inCall = this.#during('in-call')
    inCall?.call.close()
    if (inCall !== undefined) stop(inCall.media)
    this.#isPeerLost = false
    this.#setPhase({ type: 'idle' })
    if (notice !== undefined) this.#handlers.notice(notice)
  }

  #isWith(id: string): boolean {
    return this.#phase.type !== 'idle' && this.#phase.peer.id === id
  }

  #during<Type extends Phase['type']>(type: Type): Extract<Phase, { type: Type }> | undefined {
    return this.#phase.type === type ? (this.#phase as Extract<Phase, { type: Type }>) : undefined
  }

  #setPhase(phase: Phase): void {
    this.#phase = phase
    this.#handlers.phaseChanged(phase)
  }

  #peersChanged(): void {
    this.#handlers.peersChanged([...this.#peers.values()])
  }
}

export function nameOf({ name, id }: PeerSummary): string {
  return name === '' ? id : name
}

function stop(media: MediaStream): void {
  for (const track of media.getTracks()) track.stop()
}
