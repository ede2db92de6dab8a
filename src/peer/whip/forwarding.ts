/** What a publisher sends, to everybody who plays: packets as they are, and their players' wishes for a key frame back. */

import { MediaStreamTrack, type RTCRtpTransceiver } from '../werift.ts'

/** Limit: players who all have just come, or lose packets, ask for key frames more often than a publisher should make them. */
const keyFrameIntervalMs = 500

type Kind = MediaStreamTrack['kind']

export class Forwarding {
  readonly #players = new Map<RTCRtpTransceiver, MediaStreamTrack>()
  readonly #published = new Map<Kind, MediaStreamTrack>()
  #askKeyFrame: (() => void) | undefined
  #askedAt = Number.NEGATIVE_INFINITY

  /** A track of the publisher, and the transceiver that it has come by. */
  publish(track: MediaStreamTrack, { receiver }: RTCRtpTransceiver): void {
    const kind = track.kind as Kind
    const codec = () => track.codec?.mimeType.toLowerCase()
    this.#published.set(kind, track)
    track.onReceiveRtp.subscribe((packet) => {
      for (const [{ sender }, player] of this.#players) {
        // Who has come before the publisher may have settled on another codec, and could make nothing of this one.
        const isSpoken = sender.codec === undefined || sender.codec.mimeType.toLowerCase() === codec()
        if (player.kind === kind && isSpoken) player.writeRtp(packet.clone())
      }
    })
    if (track.kind !== 'video') return
    this.#askKeyFrame = () => {
      if (track.ssrc !== undefined) receiver.sendRtcpPLI(track.ssrc)
    }
    track.onReceiveRtp.once(() => this.#wantKeyFrame())
  }

  unpublish(): void {
    this.#published.clear()
    this.#askKeyFrame = undefined
  }

  /** The track that a player's transceiver is to send. */
  addPlayer(transceiver: RTCRtpTransceiver): MediaStreamTrack {
    const kind = transceiver.kind as Kind
    const track = new MediaStreamTrack({ kind })
    const codec = this.#published.get(kind)?.codec
    if (codec !== undefined) transceiver.setCodecPreferences([codec])
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
