/** What a publisher sends, to everybody who plays: packets as they are, and their players' wishes for a key frame back. */

import { MediaStreamTrack, type RTCRtpTransceiver } from '../werift.ts'

/** Limit: players who all have just come, or lose packets, ask for key frames more often than a publisher should make them. */
const keyFrameIntervalMs = 500

type Kind = MediaStreamTrack['kind']

export class Forwarding {
  readonly #players = new Map<RTCRtpTransceiver, MediaStreamTrack>()
  #askKeyFrame: (() => void) | undefined
  #askedAt = Number.NEGATIVE_INFINITY

  /** A track of the publisher, and the transceiver that it has come by. */
  publish(track: MediaStreamTrack, { receiver }: RTCRtpTransceiver): void {
    track.onReceiveRtp.subscribe((packet) => {
      for (const player of this.#players.values())
        if (player.kind === track.kind) player.writeRtp(packet.clone())
    })
    if (track.kind !== 'video') return
    this.#askKeyFrame = () => {
      if (track.ssrc !== undefined) receiver.sendRtcpPLI(track.ssrc)
    }
    track.onReceiveRtp.once(() => this.#wantKeyFrame())
  }

  unpublish(): void {
    this.#askKeyFrame = undefined
  }

  /** The track that a player's transceiver is to send. */
  addPlayer(transceiver: RTCRtpTransceiver): MediaStreamTrack {
    const track = new MediaStreamTrack({ kind: transceiver.kind as Kind })
    this.#players.set(transceiver, track)
    transceiver.sender.onPictureLossIndication.subscribe(() => this.#wantKeyFrame())
    return track
  }

  /** The player can decode from now on, and has seen no key frame yet. */
  playerConnected(): void {
    this.#askedAt = Number.NEGATIVE_INFINITY
    this.#wantKeyFrame()
  }

  removePlayer(transceiver: RTCRtpTransceiver): void {
    this.#players.delete(transceiver)
  }

  #wantKeyFrame(): void {
    const now = performance.now()
    if (now - this.#askedAt < keyFrameIntervalMs) return
    this.#askedAt = now
    this.#askKeyFrame?.()
  }
}
